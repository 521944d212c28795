"""One object's storage: SQLite in a file or in memory, as strict as on Workers."""
