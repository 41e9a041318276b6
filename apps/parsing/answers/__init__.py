"""Model text -> blocks with boxes, and the fidelity check."""
