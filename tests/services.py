"""Real servers for tests: PostgreSQL, Redis and Valkey, each with its own port and folder. RabbitMQ: tests/rabbitmq.py.

A server is a child process. It is ended only by its pid, and it also ends when this process is killed. A missing
program fails the test, because a skipped test proves nothing.
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
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from apps.supervisor import embedded_broker, launch
from tests.small_disk import SmallDisk

START_SECONDS = 240.0  # much less on a machine with nothing else to do
POSTGRES_USER = "postgres"  # created by the Debian package; PostgreSQL refuses to run as root


class ServerMissing(Exception):
    """A program that the tests need is not installed, or a server did not start."""


@dataclass
class Service:
    """One server, which keeps its port or socket and its data over a restart. ``close`` also ends its helpers."""

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
        """Start the server, or start it again, and wait until it answers."""
        with self.log.open("ab") as out:
            self.popen = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not self.is_up():
            if self.popen.poll() is not None or time.monotonic() > until:
                log = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise ServerMissing(f"{self.name} did not start ({self.popen.poll()}). The end of its log:\n{log}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Send the stop signal and wait for the end; kill the server if it does not end."""
        if self.popen is None or self.popen.poll() is not None:
            return
        self.popen.send_signal(self.stop_signal)
        try:
            self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the server and its children, as a power cut would."""
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


# --- S3 ---

S3_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "leafmill"


def start_s3(folder: Path) -> Service:
    """Start an S3 server with one empty bucket, ``BUCKET``. It keeps objects in memory and takes any key."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = (*ends_with_parent(), sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    server = Service("S3", url, command, folder / "s3.log", is_up=lambda: _listens(port)).start()
    request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
    urllib.request.urlopen(request, timeout=30).close()
    return server


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


# --- PostgreSQL ---


def start_postgres(folder: Path, *, disk: SmallDisk | None = None) -> Service:
    """Start a PostgreSQL with one empty database; ``url`` is its DATABASE_URL. ``disk``: where its data are.

    If this process runs as root, the server runs as the package's user, in a temporary folder of that user, because it
    may not enter ``folder``.
    """
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    initdb = versions[-1] if versions else shutil.which("initdb")
    if initdb is None:
        raise ServerMissing(how_to_install("PostgreSQL", "postgresql"))
    programs = Path(initdb).resolve().parent
    as_postgres_user = ends_with_parent()
    if os.geteuid() == 0:
        user = f"--reuid={POSTGRES_USER}", f"--regid={POSTGRES_USER}"
        as_postgres_user = ("setpriv", *user, "--init-groups", "--pdeathsig=TERM", "env", "--chdir=/")
    temporary = Path(tempfile.mkdtemp(prefix="leafmill-postgres-", dir=disk.path if disk else None))
    if os.geteuid() == 0:
        shutil.chown(temporary, POSTGRES_USER, POSTGRES_USER)
    port, password = free_port(), secrets.token_hex(8)
    data, password_file = temporary / "data", temporary / "password"
    password_file.write_text(password, encoding="ascii")
    password_file.chmod(0o644)  # in a folder that only this user may enter
    if disk:
        as_postgres_user = (*disk.within, *as_postgres_user)
        data, password_file = (disk.mounted_at / temporary.name / path.name for path in (data, password_file))
    login = ("--username=leafmill", "--auth=scram-sha-256", f"--pwfile={password_file}")
    initdb_command = (str(initdb), "--pgdata", str(data), *login, "--encoding=UTF8", "--locale=C", "--no-sync")
    done = subprocess.run(
        [*as_postgres_user, *initdb_command],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ServerMissing(f"initdb failed: {done.stderr}")
    url = f"postgres://leafmill:{password}@127.0.0.1:{port}"
    configuration = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",  # the tests kill processes, not the machine
        "full_page_writes": "off",
        "shared_buffers": "64MB",
    }
    settings = (word for name, value in configuration.items() for word in ("-c", f"{name}={value}"))
    service = Service(
        name="PostgreSQL",
        url=f"{url}/leafmill",
        command=(*as_postgres_user, str(programs / "postgres"), "-D", str(data), *settings),
        log=folder / "postgres.log",
        is_up=lambda: is_postgres_up(f"{url}/postgres"),
        stop_signal=signal.SIGINT,  # the "fast" shutdown, which closes open connections
        temporary_folder=temporary,
    ).start()
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE leafmill")
    return service


def is_postgres_up(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


# --- Redis and Valkey ---


def start_redis(folder: Path) -> Service:
    """Start a Redis that keeps its data on disk; ``url`` is its REDIS_URL."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise ServerMissing(how_to_install("Redis", "redis-server"))
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    where = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder))
    command = (*ends_with_parent(), program, *where, "--save", "", "--appendonly", "yes")
    return Service("Redis", url, command, folder / "redis.log", lambda: is_redis_up(url)).start()


def start_valkey(folder: Path) -> Service:
    """Start the bundled Valkey as ``make run`` does; ``url`` is its CELERY_BROKER_URL."""
    path = embedded_broker.socket_path(folder)
    data = folder / "valkey"
    data.mkdir(exist_ok=True)
    configuration = folder / "valkey.conf"
    configuration.write_text(embedded_broker.configuration(socket=path, folder=data), encoding="utf-8")
    url = f"redis+socket://{path}"
    command = (*ends_with_parent(), embedded_broker.server_program(), str(configuration))
    return Service("Valkey", url, command, folder / "valkey.log", lambda: is_redis_up(url)).start()


def flush_redis(url: str) -> None:
    """Delete all data of a Redis or Valkey."""
    with redis_client(url) as client:
        client.flushall()


def redis_client(url: str) -> Any:
    """Return a client for a URL in Celery's form; redis-py writes ``unix://`` for a socket."""
    import redis

    return redis.Redis.from_url(url.replace("redis+socket://", "unix://"), socket_timeout=5)


def is_redis_up(url: str) -> bool:
    import redis

    try:
        with redis_client(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


# --- for all servers ---


def free_port() -> int:
    """Return a port on which no process listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Return whether a process accepts connections on this local port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ends_with_parent() -> tuple[str, ...]:
    """Return the beginning of a command whose process must end when this one ends."""
    return (sys.executable, "-S", "-E", str(launch.__file__))


def how_to_install(name: str, package: str) -> str:
    return f"{name} is not installed. make test installs it as root; by hand: sudo apt-get install {package}"
