"""The only imports of the PDF libraries. Runs only inside the sandbox."""
