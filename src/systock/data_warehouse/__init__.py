"""The warehouse: table files, the portable SQL they are written in, their order, and the engines that run them."""
