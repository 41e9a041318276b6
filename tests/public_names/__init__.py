"""The names that users and running workers depend on, one list for each kind; none may be removed by accident."""
