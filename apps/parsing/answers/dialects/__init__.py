"""Answers of models that are made for documents and have a form of their own -> drafts."""
