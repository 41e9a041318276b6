"""The front door: LlamaParse's HTTP API, version 2, and what is ours beside it."""
