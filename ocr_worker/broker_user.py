"""The rights that an OCR worker needs in the broker: its own queues, its answers, and nothing else.

With a user of its own, an OCR worker that is taken over can send no task to parse and model workers. With Redis or
Valkey this prints the line for the ACL file, with RabbitMQ the command that sets the rights of a user:

    python -m ocr_worker.broker_user ocr < password
    python -m ocr_worker.broker_user ocr --rabbitmq
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shlex
import sys
from dataclasses import dataclass

OCR_UNACKED = "ocr_unacked"
"""The beginning of the Redis keys with messages that OCR workers hold: other workers have keys of their own."""


def redis_rule(name: str, password: str, *, database: int = 0) -> str:
    """Return the line of an ACL file for the user, with the hash of the password. It needs Redis 7 or Valkey.

    ``database`` is the number in the URL: Redis allows PSUBSCRIBE only with exactly the patterns of the rule.
    """
    names = ("ocr_cpu", "ocr_gpu", "housekeeping", "celeryev", "celery.pidbox", "reply.celery.pidbox")
    bindings = [f"~_kombu.binding{kind}.{name}" for name in names for kind in ("", "_permanent")]
    return " ".join(
        [
            f"user {name} on #{hashlib.sha256(password.encode()).hexdigest()}",
            f"resetkeys ~ocr_cpu* ~ocr_gpu* ~{OCR_UNACKED}* ~_kombu.binding_deadlines",
            *bindings,
            "-@all +@connection +@transaction +@list +@hash +@sortedset +@string +@set +@scripting",
            "+del +exists +pexpire +time -script|flush -script|kill -@dangerous",
            f"resetchannels &/{database}.celery.pidbox +subscribe +psubscribe +unsubscribe +punsubscribe",
            "(+lpush +llen ~housekeeping* ~*.reply.celery.pidbox*)",
            f"(+publish &/{database}.celeryev/* &/{database}.reply.celery.pidbox*)",
        ]
    )


@dataclass(frozen=True)
class RabbitmqRights:
    """Regular expressions for the names of queues and exchanges that a user may declare, write to and read from."""

    configure: str
    write: str
    read: str

    def command(self, name: str, *, virtual_host: str = "/") -> str:
        """Return the shell command that gives the rights to the user."""
        return shlex.join(
            ["rabbitmqctl", "set_permissions", "-p", virtual_host, name, self.configure, self.write, self.read]
        )


def rabbitmq_rights() -> RabbitmqRights:
    """Return the rights of the user in RabbitMQ.

    To publish is to write to an exchange, to consume is to read a queue, and to bind a queue is both. The default
    exchange and those of other queues are missing, and so is the right to write control messages.
    """
    own = ["ocr_cpu", "ocr_gpu"]
    mailboxes = r"ocr_(cpu|gpu)@.*\.celery\.pidbox"  # the queue of each worker for control messages
    control, replies, events = (re.escape(name) for name in ("celery.pidbox", "reply.celery.pidbox", "celeryev"))

    def names(*each: str) -> str:
        return f"^({'|'.join(each)})$"

    return RabbitmqRights(
        configure=names(*own, mailboxes, control, replies, events),
        write=names(*own, mailboxes, "housekeeping", replies, events),
        read=names(*own, mailboxes, control),
    )


def main(arguments: list[str]) -> int:
    """Print the line for the ACL file, or the command for RabbitMQ.

    For the line the password is read from standard input, and printed as a hash.
    """
    parser = argparse.ArgumentParser("ocr_worker.broker_user", description=main.__doc__)
    parser.add_argument("name")
    parser.add_argument("--database", type=int, default=0, help="the number in the URL of Redis")
    parser.add_argument("--rabbitmq", action="store_true", help="print the command for RabbitMQ")
    parser.add_argument("--virtual-host", default="/", help="the virtual host of RabbitMQ")
    options = parser.parse_args(arguments)
    if options.rabbitmq:
        sys.stdout.write(rabbitmq_rights().command(options.name, virtual_host=options.virtual_host) + "\n")
        return 0
    sys.stdout.write(redis_rule(options.name, sys.stdin.readline().strip(), database=options.database) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
