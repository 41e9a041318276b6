"""Whether the text of a page can be relied on: verdict and conservation."""
