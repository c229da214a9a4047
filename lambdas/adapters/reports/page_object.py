"""The status page in the landing bucket: private, and never announced to anybody."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.core.landing.names import PAGES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = f"{PAGES}status.html"
_MADE_AT = "made-at"
_ABSENT = frozenset({"403", "404", "NoSuchKey", "NotFound"})
"""Without ListBucket, HEAD on a missing key is 403."""


class PageObject:
    """The one object; a new page takes its place."""

    def __init__(self, *, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def made_at(self) -> datetime | None:
        """When the state was read that it shows; None: it is not there."""
        try:
            found = self._s3.head_object(Bucket=self._bucket, Key=KEY)
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return None
            raise
        return datetime.fromisoformat(found["Metadata"][_MADE_AT])

    def put(self, html: str, *, made_at: datetime) -> None:
        """Write it. A browser keeps no copy: it would be an old one."""
        self._s3.put_object(
            Bucket=self._bucket,
            Key=KEY,
            Body=html.encode(),
            ContentType="text/html; charset=utf-8",
            CacheControl="no-store",
            Metadata={_MADE_AT: made_at.isoformat()},
        )
