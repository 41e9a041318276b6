"""Values: boxes, blocks, pages, errors, warnings, languages."""
