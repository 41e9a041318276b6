"""Webhooks: who wants to hear of which events, the deliveries, and their log."""
