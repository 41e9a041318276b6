"""The numbers of pages: lists of them in requests, and those that a document prints."""
