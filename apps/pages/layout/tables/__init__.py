"""Tables: from rulings, half-ruled, by alignment, from tags, continued over pages."""
