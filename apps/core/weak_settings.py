"""Settings with which anyone could become an administrator, or every host name would be accepted."""

from __future__ import annotations

from collections.abc import Sequence

MIN_KEY_LENGTH = 32
MIN_DIFFERENT_CHARACTERS = 5
WELL_KNOWN_KEYS = ("secret", "changeme", "change-me", "django-insecure", "password", "insecure", "default")
NEW_KEY_COMMAND = 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'


def weakness_of_key(key: str) -> str:
    """Return why a SECRET_KEY can be guessed, without repeating it; "" if it cannot."""
    if key.lower().startswith(WELL_KNOWN_KEYS):
        return "it is a well-known key"
    if len(key) < MIN_KEY_LENGTH:
        return f"it has {len(key)} characters, and fewer than {MIN_KEY_LENGTH} can be guessed"
    if len(set(key)) < MIN_DIFFERENT_CHARACTERS:
        return f"it has fewer than {MIN_DIFFERENT_CHARACTERS} different characters"
    return ""


def weak_settings(*, secret_key: str, allowed_hosts: Sequence[str]) -> dict[str, str]:
    """Return the variables with unsafe values, each with the reason and the remedy."""
    found = {}
    if weakness := weakness_of_key(secret_key):
        found["SECRET_KEY"] = f"{weakness}. Make a new one with {NEW_KEY_COMMAND}"
    if "*" in allowed_hosts:
        found["ALLOWED_HOSTS"] = (
            "it accepts every host name, so that others can forge links of this service. Name the hosts, such as "
            "parse.example.com,127.0.0.1,localhost"
        )
    return found
