"""Programs that use the clients of other projects. Each runs in an environment of its own (scripts/test_clients.sh)."""
