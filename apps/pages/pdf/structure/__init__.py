"""What the catalogue of a document holds beside pages: layers, outline, tags."""
