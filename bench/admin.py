"""Response times of the admin on PostgreSQL with a million page rows, in milliseconds.

    python -m bench.admin

Requests are made in this process, without network and web server. Writes bench/results/admin.json.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.figures import Figure, report

TARGET_MS = 300
REQUESTS = 9


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    from tests import services

    with tempfile.TemporaryDirectory(prefix="leafmill-bench-") as folder:
        Path(folder).chmod(0o755)  # the database server runs as another user
        database = services.start_postgres(Path(folder))
        redis = services.start_redis(Path(folder))  # the quota store, which the operations page reads
        try:
            figures = measure(database.url, redis.url)
        finally:
            database.close()
            redis.close()
    report("admin", figures)


def measure(database_url: str, redis_url: str) -> list[Figure]:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    from tests.conftest import use_database

    use_database(database_url)
    settings.REDIS_URL = redis_url
    setup_test_environment()
    call_command("migrate", verbosity=0)
    from apps.accounts import services as accounts
    from tests.fakes.many_rows import make_many_rows
    from tests.integration.monitoring.test_many_rows import PAGES

    accounts.create_api_key(name="bench")
    started = time.perf_counter()
    make_many_rows()
    print(f"rows made in {time.perf_counter() - started:.0f} s")
    client = admin_client()
    return [Figure(f"{name}, p50", milliseconds(client, address), "ms", TARGET_MS) for name, address in PAGES.items()]


def admin_client() -> Any:
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client


def milliseconds(client: Any, address: str) -> float:
    """Return the median of several requests, after one that warms up."""
    times = []
    for _ in range(REQUESTS + 1):
        started = time.perf_counter()
        response = client.get(address)
        times.append((time.perf_counter() - started) * 1000)
        if response.status_code != 200:
            raise SystemExit(f"{address}: {response.status_code}")
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
