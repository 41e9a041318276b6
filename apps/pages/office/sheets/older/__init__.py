"""Workbooks of older programs (xls, MS-XLS)."""
