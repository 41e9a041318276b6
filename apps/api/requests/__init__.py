"""Reading requests: bodies, uploads, query parameters."""
