"""Leafmill's rooms; docs/architecture.md says who may import whom."""

VERSION = "0.2.0"
