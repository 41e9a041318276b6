"""Lines, columns, tables and reading order: characters -> blocks."""
