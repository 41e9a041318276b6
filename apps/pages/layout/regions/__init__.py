"""Regions of a page in reading order: white space, columns, figures."""
