"""Sources to batches: readers of files, APIs and databases; nothing here sees the warehouse."""
