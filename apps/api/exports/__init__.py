"""Downloads of the files of a result, and the JSON Schemas of those that are JSON."""
