"""Exports: outputs that are made from the pages of a result when somebody asks for them."""
