"""The names that users and running workers depend on, a list for each kind; none of them may disappear."""
