"""The command line: one module per command; nothing here knows how a thing is done, only how it is asked and shown."""
