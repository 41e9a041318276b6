"""Formulas of a workbook: their references, and their values computed anew."""
