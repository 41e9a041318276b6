"""Extract, classify and split: jobs that ask a model about a document, as LlamaParse's clients create them."""
