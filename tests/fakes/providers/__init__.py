"""A fake server for the APIs of the GenAI providers, with strict checks of requests and deterministic responses.

Tests, demonstrations and benchmarks call it instead of the providers. It also judges quota: it records every request,
its time, and whether it was sent too early. ``python -m tests.fakes.providers --port 0`` starts it;
``tests/fakes/provider.py`` is its client.
"""
