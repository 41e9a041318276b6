"""The rights that an OCR worker needs in Redis or Valkey: its own queues, its answers, and nothing else.

With a user of its own, an OCR worker that is taken over can send no task to parse and model workers. This prints the
line for the ACL file:

    python -m ocr_worker.broker_user ocr < password

RabbitMQ is not covered: Celery publishes to its default exchange, which leads to every queue.
"""

from __future__ import annotations

import argparse
import hashlib
import sys

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


def main(arguments: list[str]) -> int:
    """Print the line for the ACL file. The password is read from standard input, and printed as a hash."""
    parser = argparse.ArgumentParser("ocr_worker.broker_user", description=main.__doc__)
    parser.add_argument("name")
    parser.add_argument("--database", type=int, default=0, help="the number in the URL of Redis")
    options = parser.parse_args(arguments)
    sys.stdout.write(redis_rule(options.name, sys.stdin.readline().strip(), database=options.database) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
