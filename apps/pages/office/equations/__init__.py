"""Equations of office files, web pages and books as LaTeX."""
