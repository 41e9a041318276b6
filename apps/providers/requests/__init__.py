"""What a request to a deployment says: its address, access, parameters and messages, by family."""
