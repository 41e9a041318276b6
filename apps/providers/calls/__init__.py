"""One call to a provider: the gateway, the client, the connection and its failures."""
