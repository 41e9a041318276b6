"""What every app needs and no app owns: connections, secrets, heartbeat, logs, tracing."""
