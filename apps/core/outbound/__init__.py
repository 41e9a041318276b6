"""Requests to addresses that users choose: webhooks and documents by URL. Nothing of ours can be reached with them."""
