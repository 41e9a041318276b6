"""Saved webhooks, the webhooks of jobs, and each delivery with its attempts.

A delivery is a row before it is a request: it is written in the transaction that causes the event. A worker claims it
with a lease and a fence, sends it and records the outcome, so that one that dies in between only sends it again.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from apps.accounts.models import Project


def new_endpoint_id() -> str:
    return f"whk-{uuid.uuid4()}"


class OutputFormat(models.TextChoices):
    """``string``: the body is a JSON string that contains the JSON of the event, as LlamaParse sends it by default."""

    STRING = "string"
    JSON = "json"


class Receiver(models.Model):
    """Where and how events are sent. ``events`` empty: all. Headers and the secret are sealed.

    ``sends_result``: the body is the job's result, as in LlamaParse's first form.
    """

    url = models.TextField()
    events = models.JSONField(default=list, blank=True)
    headers_sealed = models.TextField(blank=True, editable=False)
    secret_sealed = models.TextField(blank=True, editable=False)
    output_format = models.CharField(max_length=10, choices=OutputFormat.choices, default=OutputFormat.STRING)
    sends_result = models.BooleanField(default=False)

    class Meta:
        abstract = True


class WebhookEndpoint(Receiver):
    """A saved webhook configuration of a project. ``disabled_at``: since when, because the receiver answered 410."""

    id = models.CharField(primary_key=True, max_length=40, default=new_endpoint_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhook_endpoints")
    disabled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.id


class JobWebhook(Receiver):
    """A webhook of one job: a copy of that in the request.

    ``host`` is that of the URL: a slow receiver may occupy only some of the threads that send.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    endpoint = models.ForeignKey(WebhookEndpoint, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    job_id = models.CharField(max_length=40, db_index=True)
    host = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.url} for {self.job_id}"


class DeliveryState(models.TextChoices):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookDelivery(models.Model):
    """One event for one webhook. The id is the same in every attempt, so that a receiver can recognize a repetition."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(JobWebhook, on_delete=models.CASCADE, related_name="deliveries")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    job_id = models.CharField(max_length=40, db_index=True)
    event = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state=DeliveryState.PENDING), name="delivery_due"),
            models.Index(fields=["-created_at"], name="delivery_newest"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class WebhookAttempt(models.Model):
    """One request of a delivery: the status of the response (empty: none), or why there was none."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="log")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True)
    milliseconds = models.PositiveIntegerField(default=0)
    response = models.CharField(max_length=500, blank=True, help_text="the beginning of the response")

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"], name="attempt_of_delivery")]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.delivery_id}"
