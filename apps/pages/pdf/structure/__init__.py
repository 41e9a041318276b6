"""The parts of a document's catalogue beside pages: layers, outline, tags."""
