"""Check every part that the service needs and name the command that repairs it."""
