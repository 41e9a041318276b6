"""Batch APIs at half price: requests of many pages that a provider answers together, within hours."""
