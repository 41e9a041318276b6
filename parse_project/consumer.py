"""The worker's consumer: a message that cannot be processed is put aside, logged and counted, and costs no worker.

Celery ends a worker on an error that it does not expect in a message, and a broker that gets the message back hands it
to the next worker. The rows are the queue, so a message that is dropped is sent again.
"""

from __future__ import annotations

from typing import Any

from celery.utils.log import get_logger
from celery.worker.consumer import Consumer as CeleryConsumer
from kombu import Message

logger = get_logger(__name__)
MAX_SHOWN = 200
_OF_MESSAGES = (LookupError, ValueError, TypeError, AttributeError)


class Consumer(CeleryConsumer):
    connection_errors: tuple[type[Exception], ...]

    def create_task_handler(self, *args: Any, **options: Any) -> Any:
        handle = super().create_task_handler(*args, **options)

        def on_task_received(message: Message) -> None:
            try:
                self._check_arguments(message)
                handle(message)
            except Exception as error:
                # kombu counts KeyError among the errors of a connection: the worker would connect again, get the same
                # message back and fail for ever.
                if isinstance(error, self.connection_errors) and not isinstance(error, _OF_MESSAGES):
                    raise
                shown = str(message.body)[:MAX_SHOWN]
                logger.warning("A message is put aside: %s: %s. It begins with %r", type(error).__name__, error, shown)
                message.reject_log_error(logger, self.connection_errors)
                _count("malformed")

        return on_task_received

    def _check_arguments(self, message: Message) -> None:
        """Raise TypeError if the task does not take the arguments of the message."""
        headers = message.headers if isinstance(message.headers, dict) else {}
        task: Any = self.app.tasks.get(headers.get("task", ""))
        if task is None or task.name.startswith("celery.") or message.content_type != "application/json":
            return  # Celery reports these itself
        positional, named, *_ = message.payload
        task.__header__(*positional, **named)

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        super().on_decode_error(message, exc)
        _count("undecodable")

    def on_unknown_message(self, body: Any, message: Message) -> None:
        super().on_unknown_message(body, message)
        _count("malformed")

    def on_unknown_task(self, body: Any, message: Message, exc: Exception) -> None:
        super().on_unknown_task(body, message, exc)
        _count("unknown_task")

    def on_invalid_task(self, body: Any, message: Message, exc: Exception) -> None:
        super().on_invalid_task(body, message, exc)
        _count("refused_content")


def _count(reason: str) -> None:
    from apps.monitoring import messages_put_aside

    messages_put_aside.count(reason)
