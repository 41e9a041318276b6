"""The PP-OCR networks and the runtimes that execute them."""
