"""Documents in S3 and results to S3, in the folders of the setting S3_FOLDERS. Plain S3: any service with its API.

Credentials and endpoint are boto3's usual ones (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL_S3``, the role of the pod).
They are those of the service, so a request reaches only the folders that the operator names.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from django.conf import settings

from apps.accounts.models import Project
from apps.core.outbound.errors import FetchFailed
from apps.documents.errors import FileTooLarge, S3FolderNotAllowed

FETCH_SECONDS = 30.0
CHUNK_BYTES = 1024 * 1024
_PATH = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.{1,1024})", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{0,40}", re.ASCII)


class S3Path(NamedTuple):
    bucket: str
    key: str


def allowed_path(path: str, *, project: Project, region: str = "") -> S3Path:
    """Return bucket and key of ``s3://bucket/key``. Raise S3FolderNotAllowed if it is outside the project's folders.

    A folder of the setting may contain ``{project}``, the id of the project.
    """
    found = _PATH.fullmatch(path)
    if found is None or not _REGION.fullmatch(region):
        raise S3FolderNotAllowed("The path is not valid. Send s3://BUCKET/KEY, and a region such as eu-central-1.")
    folders = [folder.replace("{project}", str(project.pk)).rstrip("/") + "/" for folder in settings.S3_FOLDERS]
    if not any(path.startswith(folder) for folder in folders):
        raise S3FolderNotAllowed
    return S3Path(found[1], found[2])


def download(path: str, target: BinaryIO, *, project: Project, region: str = "") -> int:
    """Write the document to ``target`` and return its size. Raise S3FolderNotAllowed, FetchFailed or FileTooLarge."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = allowed_path(path, project=project, region=region)
    until = time.monotonic() + FETCH_SECONDS
    size = 0
    try:
        body = client(region).get_object(Bucket=bucket, Key=key)["Body"]
        for chunk in body.iter_chunks(CHUNK_BYTES):
            size += len(chunk)
            if size > settings.MAX_UPLOAD_BYTES:
                raise FileTooLarge(f"The file is larger than {settings.MAX_UPLOAD_BYTES >> 20} MB. Split it.")
            if time.monotonic() > until:
                raise FetchFailed("S3 was too slow. Try again, or upload the document.")
            target.write(chunk)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise FetchFailed(f"S3 refused the request ({code}). Check the path and the region.") from error
    except (BotoCoreError, Boto3Error, OSError) as error:
        raise FetchFailed("S3 could not be reached. Try again, or upload the document.") from error
    return size


def write(path: str, content: BinaryIO, *, project: Project, region: str = "") -> None:
    """Write a file of a result. Raise S3FolderNotAllowed or FetchFailed."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = allowed_path(path, project=project, region=region)
    try:
        client(region).upload_fileobj(content, bucket, key)
    except (ClientError, BotoCoreError, Boto3Error, OSError) as error:
        raise FetchFailed("S3 could not be written.") from error


@lru_cache(maxsize=8)
def client(region: str) -> Any:
    """Return the client of a region. It may be used by several threads."""
    import boto3

    from apps.documents.object_storage import client_config

    return boto3.session.Session().client("s3", region_name=region or None, config=client_config())
