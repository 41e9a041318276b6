"""Exports: outputs that are made from the pages of a result at the first request for them."""
