"""Read a file of any type into pages. Runs only inside the sandbox."""
