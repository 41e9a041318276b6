"""Facts of the whole document: headings, running lines, captions, notes, continuations."""
