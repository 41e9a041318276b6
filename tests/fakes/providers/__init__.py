"""A server that speaks the wires of the GenAI providers: strict about requests, deterministic in answers.

It is the far end of the wire in tests, demonstrations and benchmarks, and the referee over quota: what arrived, when,
and what was sent too early. ``python -m tests.fakes.providers --port 0`` starts it; ``tests/fakes/provider.py`` is its
client.
"""
