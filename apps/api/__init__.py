"""The HTTP API: LlamaParse's API, version 2, with additions of our own."""
