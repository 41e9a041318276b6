"""Read untrusted documents in child processes that can be killed."""
