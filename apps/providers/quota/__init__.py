"""The shared quota store: limits, reservations and rebuilding it from the ledger."""
