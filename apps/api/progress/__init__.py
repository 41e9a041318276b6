"""What happens to a job while it runs: waiting for its end, its events, its single pages."""
