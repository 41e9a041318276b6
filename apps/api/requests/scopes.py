"""The scope that each method of a view needs. Every view that takes API keys declares one of these tables."""

from __future__ import annotations

from collections.abc import Mapping

from apps.accounts.models import Scope

Scopes = Mapping[str, Scope]

READS: Scopes = {"GET": Scope.READ}
READS_BY_POST: Scopes = {"GET": Scope.READ, "POST": Scope.READ}
PARSES: Scopes = {"GET": Scope.READ, "POST": Scope.PARSE, "PUT": Scope.PARSE, "DELETE": Scope.PARSE}
ADMINISTERS: Scopes = {"GET": Scope.READ, "POST": Scope.ADMIN, "PUT": Scope.ADMIN, "DELETE": Scope.ADMIN}
MANAGES: Scopes = dict.fromkeys(("GET", "POST", "DELETE"), Scope.ADMIN)
