"""A file of any type -> pages. Runs only inside the sandbox."""
