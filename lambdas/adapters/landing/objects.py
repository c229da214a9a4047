"""Objects of the landing zone, as those read them who repair: lists, and lines."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.errors import LandingError
from lambdas.core.loading.status import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GZIP = 31
"""zlib's `wbits` for a gzip member."""
PIECE_BYTES = 1024 * 1024


class StoredObjects:
    """A bucket's objects. Raises LandingError where S3 refuses."""

    def __init__(self, *, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def below(self, prefix: str) -> list[StoredObject]:
        """All objects below a prefix, by key."""
        try:
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            return [
                StoredObject(
                    key=item["Key"],
                    size=item["Size"],
                    modified_at=item["LastModified"],
                )
                for page in pages
                for item in page.get("Contents", ())
            ]
        except (BotoCoreError, ClientError) as error:
            raise LandingError(f"{prefix} cannot be listed: {error}") from error

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of a gzipped object, without their ends, as they are read.

        Raises LandingError if it is gone or is no gzip.
        """
        rest = b""
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
            decompressor = zlib.decompressobj(wbits=GZIP)
            while piece := body.read(PIECE_BYTES):
                *whole, rest = (rest + decompressor.decompress(piece)).split(b"\n")
                yield from whole
        except (BotoCoreError, ClientError, zlib.error) as error:
            raise LandingError(f"{key} cannot be read: {error}") from error
        if not decompressor.eof:
            raise LandingError(f"{key} is cut off: its gzip has no end")
        if rest:
            yield rest

    def notified_prefixes(self) -> frozenset[str]:
        """The prefixes of which the bucket tells a topic."""
        try:
            told = self._s3.get_bucket_notification_configuration(Bucket=self._bucket)
        except (BotoCoreError, ClientError) as error:
            raise LandingError(
                f"the bucket's notifications cannot be read: {error}"
            ) from error
        return frozenset(
            str(rule.get("Value"))
            for topic in told.get("TopicConfigurations", ())
            for rule in topic.get("Filter", {}).get("Key", {}).get("FilterRules", ())
            if str(rule.get("Name")).lower() == "prefix"
        )
