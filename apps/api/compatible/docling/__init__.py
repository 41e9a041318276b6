"""docling-serve's API: ``/v1/convert``, ``/v1/status`` and ``/v1/result``."""
