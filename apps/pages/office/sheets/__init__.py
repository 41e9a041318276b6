"""Workbooks: a page for each sheet, or several for a long one."""
