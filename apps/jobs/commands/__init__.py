"""What people and requests ask for: submit, cancel, retry, estimate, delete, clean up."""
