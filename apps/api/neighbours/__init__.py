"""Addresses of LlamaCloud beside parsing that clients call: projects."""
