"""Annotations of whole documents or pages by a model: extract values by a JSON schema, classify, split."""
