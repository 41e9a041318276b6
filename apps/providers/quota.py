from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    key: str
    requests: int | None = None
    tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    window_seconds: float = 60.0
    requests_per_day: int | None = None
    calls_in_flight: int | None = None
    money_per_day: int | None = None
    counts_max_tokens: bool = False


@dataclass(frozen=True)
class PastCall:
    key: str
