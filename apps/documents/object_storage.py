"""An object store with the API of S3 as Django's storage, with time-outs, so that an outage is an error within seconds.

The client of the folders of users (s3_folders.py) has the same time-outs.
"""

from __future__ import annotations

from typing import Any

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 10, 3
ERRORS = (BotoCoreError, ClientError, Boto3Error, OSError)
_FULL = {"QuotaExceeded", "XMinioStorageFull", "StorageFull", "InsufficientStorage"}


def client_config(**options: Any) -> Config:
    """Return the configuration of a client with our time-outs. It retries a failed request twice."""
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        request_checksum_calculation="when_required",  # services other than AWS may not know the newer checksums
        response_checksum_validation="when_required",
        **options,
    )


class ObjectStorage(S3Storage):  # type: ignore[misc]
    """A bucket, or a prefix of one."""

    errors = ERRORS

    def __init__(self, **options: Any) -> None:
        styles = {"signature_version": options.get("signature_version"), "proxies": options.get("proxies")}
        addressing = {"addressing_style": options.get("addressing_style")}
        super().__init__(client_config=client_config(s3=addressing, **styles), **options)

    def is_there(self) -> bool:
        """Return whether the bucket exists and its service answers."""
        try:
            self.connection.meta.client.head_bucket(Bucket=self.bucket_name)
        except ERRORS as error:
            return isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        return True

    @staticmethod
    def is_full(error: Exception) -> bool:
        """Return whether the service refused a write because it has no space left."""
        return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "") in _FULL
