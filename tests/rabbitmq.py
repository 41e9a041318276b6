"""Start a RabbitMQ node for tests, with its own port mapper (epmd), and purge its queues."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from tests.services import ServerMissing, Service, ends_with_parent, free_port, how_to_install, listens


def start_rabbitmq(folder: Path) -> Service:
    """Start a RabbitMQ node with its own port mapper; ``url`` is its CELERY_BROKER_URL."""
    server = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin:" + os.environ.get("PATH", ""))
    epmd = shutil.which("epmd")
    if server is None or epmd is None:
        raise ServerMissing(how_to_install("RabbitMQ", "rabbitmq-server"))
    port, distribution_port, epmd_port = free_port(), free_port(), free_port()
    mapper = Service(
        name="epmd",
        url="",
        command=(*ends_with_parent(), epmd, "-address", "127.0.0.1", "-port", str(epmd_port)),
        log=folder / "epmd.log",
        is_up=lambda: listens(epmd_port),
    ).start()
    configuration = folder / "rabbitmq.conf"
    configuration.write_text(
        f"listeners.tcp.local = 127.0.0.1:{port}\ndisk_free_limit.absolute = 50MB\nlog.console = true\n",
        encoding="utf-8",
    )
    (folder / "enabled_plugins").write_text("[].\n", encoding="utf-8")
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(folder),  # for the node's cookie
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"leafmill-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "rabbitmq-logs"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "rabbitmq-config"),
        "RABBITMQ_SCHEMA_DIR": str(folder / "rabbitmq-schema"),
        "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
        # Without these flags its schedulers busy-wait, which takes cores from the tests.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
    }
    service = Service(
        name="RabbitMQ",
        url=f"amqp://guest:guest@127.0.0.1:{port}//",
        command=(*ends_with_parent(), server),
        log=folder / "rabbitmq.log",
        is_up=lambda: is_rabbitmq_up(port),
        environment=environment,
        helpers=[mapper],
    )
    try:
        return service.start()
    except ServerMissing:
        service.close()
        raise


def purge_rabbitmq(url: str, queues: list[str]) -> int:
    """Drop the messages that wait in these queues and return their number. A queue that does not exist is empty."""
    return sum(purge_queue(url, queue) for queue in queues)


def purge_queue(url: str, queue: str, *, tries: int = 3) -> int:
    """Purge one queue and return the number of messages. Try again if there is no response within 10 s."""
    from amqp.exceptions import NotFound
    from kombu import Connection

    for left in reversed(range(tries)):
        try:
            with Connection(url, connect_timeout=5, transport_options={"read_timeout": 10}) as connection:
                channel: Any = connection.channel()
                return int(channel.queue_purge(queue) or 0)
        except NotFound:
            return 0
        except TimeoutError:
            if not left:
                raise
    return 0


def is_rabbitmq_up(port: int) -> bool:
    from amqp import Connection
    from amqp.exceptions import AMQPError

    if not listens(port):
        return False
    try:
        with Connection(f"127.0.0.1:{port}", connect_timeout=2):
            return True
    except (OSError, AMQPError):
        return False
