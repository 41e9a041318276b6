"""Services for faults. A rig is started once for a module, because each fault leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.backends import BACKENDS, EMBEDDED, RABBITMQ, REDIS
from tests.acceptance.running_service import Backends

# The embedded backends start in a second; make chaos tries the same on the others.
EVERYWHERE = [EMBEDDED, *(pytest.param(name, marks=pytest.mark.long) for name in (REDIS, RABBITMQ))]


@pytest.fixture(scope="module", params=EVERYWHERE)
def backends(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with BACKENDS[request.param](tmp_path_factory.mktemp("backends")) as backends:
        yield backends
