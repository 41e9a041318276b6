"""Read requests: bodies, uploads and query parameters."""
