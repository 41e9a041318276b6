"""The web process between the server and Django: receives bodies, runs Django in threads, sends responses."""
