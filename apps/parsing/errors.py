"""Errors about a model's answer.

UnusableAnswer (a ProviderError): the answer is not this page. Codes: output_truncated, output_incomplete,
output_altered, output_invalid, provider_bad_response.
"""

from __future__ import annotations

from apps.providers.errors import ProviderError


class UnusableAnswer(ProviderError):
    """The model's answer is not this page. Another attempt or another model may do better."""

    code = "provider_bad_response"

    def __init__(self, detail: str | None = None, *, code: str = "provider_bad_response") -> None:
        super().__init__(detail)
        self.code = code
