"""One module a family of providers: how its requests are read and its answers and errors are spelled."""
