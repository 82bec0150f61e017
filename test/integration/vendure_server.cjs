// A Vendure server as it is shipped, with its database in memory. Arguments: the port, the folder of its node_modules, a folder to write to.
const path = require('node:path');
const { createRequire } = require('node:module');

const [port, modules, folder] = process.argv.slice(2);
const { bootstrap, dummyPaymentHandler, DefaultLogger, LogLevel } = createRequire(path.join(modules, 'index.js'))('@vendure/core');

bootstrap({
  apiOptions: { port: Number(port), hostname: '127.0.0.1', adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: {
    tokenMethod: ['bearer', 'cookie'],
    superadminCredentials: { identifier: 'superadmin', password: 'superadmin' },
    cookieOptions: { secret: 'only for this test' },
  },
  dbConnectionOptions: { type: 'sqljs', synchronize: true, autoSave: false, location: path.join(folder, 'shop.sqlite') },
  importExportOptions: { importAssetsDir: folder },
  logger: new DefaultLogger({ level: LogLevel.Warn }),
  paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
}).catch(error => {
  console.error(error);
  process.exit(1);
});
