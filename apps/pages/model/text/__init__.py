"""Words about text: scripts, languages, list markers, safe characters."""
