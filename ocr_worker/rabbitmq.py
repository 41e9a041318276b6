"""How OCR workers use RabbitMQ: differently from other workers, so that their own user needs few rights there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from celery.worker.consumer import Consumer as CeleryConsumer

from apps.core import broker_connection


class OcrAMQP(broker_connection.AMQP):
    """Publish to the exchange of each queue, and declare nothing.

    Celery publishes to the default exchange, which leads to every queue. A user who may write to it may send any task.
    The workers that consume a queue declare its exchange.
    """

    def _create_task_sender(self) -> Callable[..., Any]:
        send: Callable[..., Any] = super()._create_task_sender()  # type: ignore[misc]

        def send_to_exchange(producer: Any, name: str, message: Any, **options: Any) -> Any:
            queue = options.get("queue")
            if queue is not None:
                queue = self.queues[queue] if isinstance(queue, str) else queue
                options |= {"exchange": queue.exchange.name, "routing_key": queue.routing_key, "declare": []}
            return send(producer, name, message, **options)

        return send_to_exchange


class OcrConsumer(CeleryConsumer):
    """Leave out the queues for delayed messages: OCR workers delay none, and these lead to every queue, too."""

    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc, valid-type]
        default_steps: ClassVar[list[str]] = [
            step for step in CeleryConsumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        ]
