"""Which system calls a child may make, and who makes those that it may not."""
