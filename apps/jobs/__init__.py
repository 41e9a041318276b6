"""The life of a parse job."""
