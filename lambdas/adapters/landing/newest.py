"""What lies under `raw/` in the landing bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.errors import LandingError
from lambdas.core.landing.names import RAW
from lambdas.core.loading.objects import LandedObject, LandedObjects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RECENT = timedelta(days=2)
"""How far back objects are listed beside the newest day's."""


class LandedListing:
    """Lists the days of a dataset, and the objects of the last of them."""

    def __init__(self, *, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def recent(self, dataset: str, *, now: datetime) -> LandedObjects:
        """Objects of the newest day there is, and of the last days; all generations.

        Raises LandingError if the bucket cannot be listed.
        """
        try:
            days = [
                day
                for generation in self._folders(f"{RAW}{dataset}/")
                for day in self._folders(generation)
            ]
            newest = max((_date(day) for day in days), default="")
            since = min(newest, (now - RECENT).date().isoformat())
            return LandedObjects(
                objects=tuple(
                    item
                    for day in days
                    if _date(day) >= since
                    for item in self._objects(day)
                )
            )
        except (BotoCoreError, ClientError) as error:
            raise LandingError(
                f"{RAW}{dataset}/ cannot be listed: {error}; the function needs "
                "s3:ListBucket on the bucket"
            ) from error

    def _folders(self, prefix: str) -> Iterator[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, Delimiter="/"
        )
        for page in pages:
            for folder in page.get("CommonPrefixes", ()):
                yield folder["Prefix"]

    def _objects(self, prefix: str) -> Iterator[LandedObject]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        for page in pages:
            for item in page.get("Contents", ()):
                yield LandedObject(key=item["Key"], modified_at=item["LastModified"])


def _date(day: str) -> str:
    """`2013-01-07` of `raw/<dataset>/g<generation>/dt=2013-01-07/`."""
    return day.rstrip("/").rpartition("dt=")[2]
