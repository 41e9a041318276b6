"""Ways in which the fake models read pictures: with our layout for demonstrations, and on their own for tests."""
