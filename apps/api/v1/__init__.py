"""LlamaParse's API, version 1: a second face of the same jobs, documents and results."""
