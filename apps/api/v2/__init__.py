"""LlamaParse's API, version 2: jobs, files, estimates."""
