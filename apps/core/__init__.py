"""Services that every app needs and no app owns: database connections, secrets, worker heartbeat, logs, tracing."""
