"""Tests of stored documents and results."""
