"""The Model Context Protocol: tools with which language models read documents, at ``/mcp``."""
