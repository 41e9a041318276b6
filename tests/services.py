"""Real servers for tests: PostgreSQL, Redis, Valkey (and tests/rabbitmq.py), each with a port and a folder of its own.

A server is a child process whose pid is kept; it is ended by that pid and by nothing else, and it ends with this
process even when that is killed. A program that is not installed fails the test: a test that is skipped proves nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.supervisor import embedded_broker, launch

START_SECONDS = 60.0
POSTGRES_USER = "postgres"  # made by the Debian package; PostgreSQL refuses to run as root


class ServerMissing(Exception):
    """A program that the tests need is not installed, or a server did not start."""


@dataclass
class Service:
    """One server. ``stop`` and ``start`` keep its port or socket and its data; ``close`` also ends its helpers."""

    name: str
    url: str
    command: tuple[str, ...]
    log: Path
    is_up: Callable[[], bool]
    environment: dict[str, str] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    helpers: list[Service] = field(default_factory=list)
    temporary_folder: Path | None = None
    popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.popen is not None, f"{self.name} was never started"
        return self.popen.pid

    def start(self) -> Service:
        """Start it (again) and wait until it answers."""
        with self.log.open("ab") as out:
            self.popen = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._wait_until_up()
        return self

    def stop(self) -> None:
        """Ask it to end and wait; killed when it does not."""
        if self.popen is None or self.popen.poll() is not None:
            return
        self.popen.send_signal(self.stop_signal)
        try:
            self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and its children at once, as a power cut would."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        assert self.popen is not None
        self.popen.wait(10)

    def close(self) -> None:
        self.stop()
        for helper in self.helpers:
            helper.close()
        if self.temporary_folder is not None:
            shutil.rmtree(self.temporary_folder, ignore_errors=True)

    def _wait_until_up(self) -> None:
        assert self.popen is not None
        until = time.monotonic() + START_SECONDS
        while not self.is_up():
            if self.popen.poll() is not None or time.monotonic() > until:
                words = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise ServerMissing(f"{self.name} did not start ({self.popen.poll()}). Its last words:\n{words}")
            time.sleep(0.02)


# --- PostgreSQL ---


def start_postgres(folder: Path) -> Service:
    """A PostgreSQL with one empty database; ``url`` is its DATABASE_URL.

    As root it runs as the package's user, in a folder of its own, because that user may not enter ``folder``.
    """
    programs, port, password = _postgres_programs(), free_port(), secrets.token_hex(8)
    temporary = Path(tempfile.mkdtemp(prefix="leafmill-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(temporary, POSTGRES_USER, POSTGRES_USER)
    data = temporary / "data"
    _init_postgres(programs, data=data, password=password)
    url = f"postgres://leafmill:{password}@127.0.0.1:{port}"
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",  # processes are killed here, the machine is not
        "full_page_writes": "off",
        "shared_buffers": "64MB",
    }
    settings = (word for name, value in options.items() for word in ("-c", f"{name}={value}"))
    service = Service(
        name="PostgreSQL",
        url=f"{url}/leafmill",
        command=(*_as_postgres_user(), str(programs / "postgres"), "-D", str(data), *settings),
        log=folder / "postgres.log",
        is_up=lambda: _postgres_answers(f"{url}/postgres"),
        stop_signal=signal.SIGINT,  # "fast": open connections are closed
        temporary_folder=temporary,
    ).start()
    _postgres_execute(f"{url}/postgres", "CREATE DATABASE leafmill")
    return service


def _postgres_programs() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = versions[-1] if versions else shutil.which("initdb")
    if found is None:
        raise ServerMissing(how_to_install("PostgreSQL", "postgresql"))
    return Path(found).resolve().parent


def _init_postgres(programs: Path, *, data: Path, password: str) -> None:
    password_file = data.with_name("password")
    password_file.write_text(password, encoding="ascii")
    password_file.chmod(0o644)  # in a folder that only this user may enter
    initdb = (str(programs / "initdb"), "--pgdata", str(data), "--username=leafmill", "--auth=scram-sha-256")
    done = subprocess.run(
        [*_as_postgres_user(), *initdb, f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C", "--no-sync"],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ServerMissing(f"initdb failed: {done.stderr}")


def _as_postgres_user() -> tuple[str, ...]:
    """How a command begins that must not run as root; also ends it with us."""
    if os.geteuid() != 0:
        return ended_with_us()
    user = f"--reuid={POSTGRES_USER}", f"--regid={POSTGRES_USER}"
    return ("setpriv", *user, "--init-groups", "--pdeathsig=TERM", "env", "--chdir=/")


def _postgres_answers(url: str) -> bool:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def _postgres_execute(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


# --- Redis and Valkey ---


def start_redis(folder: Path) -> Service:
    """A Redis on a port of its own that keeps its data on disk; ``url`` is its REDIS_URL."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise ServerMissing(how_to_install("Redis", "redis-server"))
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    where = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder))
    command = (*ended_with_us(), program, *where, "--save", "", "--appendonly", "yes")
    return Service("Redis", url, command, folder / "redis.log", lambda: _redis_answers(url)).start()


def start_valkey(folder: Path) -> Service:
    """The bundled Valkey as ``make run`` starts it; ``url`` is its CELERY_BROKER_URL."""
    path = embedded_broker.socket_path(folder)
    data = folder / "valkey"
    data.mkdir(exist_ok=True)
    configuration = folder / "valkey.conf"
    configuration.write_text(embedded_broker.configuration(socket=path, folder=data), encoding="utf-8")
    url = f"redis+socket://{path}"
    command = (*ended_with_us(), embedded_broker.server_program(), str(configuration))
    return Service("Valkey", url, command, folder / "valkey.log", lambda: _redis_answers(url)).start()


def flush_redis(url: str) -> None:
    """Make a Redis or Valkey forget everything."""
    with redis_client(url) as client:
        client.flushall()


def redis_client(url: str) -> Any:
    """A client for the URLs that Celery takes: redis-py spells a socket ``unix://``."""
    import redis

    return redis.Redis.from_url(url.replace("redis+socket://", "unix://"), socket_timeout=5)


def _redis_answers(url: str) -> bool:
    import redis

    try:
        with redis_client(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


# --- for all of them ---


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this port of ours."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ended_with_us() -> tuple[str, ...]:
    """How a command begins whose process ends with this one."""
    return (sys.executable, "-S", "-E", str(launch.__file__))


def how_to_install(name: str, package: str) -> str:
    return f"{name} is not installed. make test installs it as root; by hand: sudo apt-get install {package}"
