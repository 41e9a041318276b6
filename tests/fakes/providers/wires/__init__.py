"""One module per family of providers: it reads requests, and writes responses and errors in the family's format."""
