"""Who asks: projects and their API keys."""
