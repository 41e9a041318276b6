"""Which mode parses each page: auto mode and the cost optimizer."""
