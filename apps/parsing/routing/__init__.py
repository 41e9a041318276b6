"""Choose the mode of each page: auto mode and the cost optimizer."""
