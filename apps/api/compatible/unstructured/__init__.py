"""Unstructured's API: ``/general/v0/general``."""
