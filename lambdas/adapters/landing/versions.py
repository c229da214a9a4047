"""Objects with all their versions: to find what must go, and to have it gone."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.errors import LandingError
from lambdas.core.loading.reload import GZIP, LEVEL

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """One version of an object, or a delete marker, which has no content."""

    key: str
    version_id: str
    is_latest: bool
    is_marker: bool


class ErasableObjects:
    """A versioned bucket. Raises LandingError where S3 refuses."""

    def __init__(self, *, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def versions(self, prefix: str) -> list[ObjectVersion]:
        """Every version and delete marker below a prefix, by key."""
        try:
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            found = [
                ObjectVersion(
                    key=item["Key"],
                    version_id=item["VersionId"],
                    is_latest=item["IsLatest"],
                    is_marker=is_marker,
                )
                for page in pages
                for is_marker, items in (
                    (False, page.get("Versions", ())),
                    (True, page.get("DeleteMarkers", ())),
                )
                for item in items
            ]
        except (BotoCoreError, ClientError) as error:
            raise LandingError(f"versions below {prefix}: {error}") from error
        return sorted(found, key=lambda one: (one.key, not one.is_latest))

    def lines(self, version: ObjectVersion) -> Iterator[bytes]:
        """The lines of one version of a gzipped object."""
        rest = b""
        try:
            body = self._s3.get_object(
                Bucket=self._bucket, Key=version.key, VersionId=version.version_id
            )["Body"]
            decompressor = zlib.decompressobj(wbits=GZIP)
            while piece := body.read(1024 * 1024):
                *whole, rest = (rest + decompressor.decompress(piece)).split(b"\n")
                yield from whole
        except (BotoCoreError, ClientError, zlib.error) as error:
            raise LandingError(f"{version.key} cannot be read: {error}") from error
        if rest:
            yield rest

    def overwrite(self, key: str, lines: Iterable[bytes]) -> None:
        """Write a gzipped object anew: never one that a pipe covers."""
        compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        body = io.BytesIO()
        for line in lines:
            body.write(compressor.compress(line + b"\n"))
        body.write(compressor.flush())
        body.seek(0)
        try:
            self._s3.upload_fileobj(body, self._bucket, key)
        except (BotoCoreError, ClientError) as error:
            raise LandingError(f"{key} cannot be written: {error}") from error

    def delete(self, versions: Iterable[ObjectVersion]) -> None:
        """Delete versions and markers for good; gone already is fine."""
        for version in versions:
            try:
                self._s3.delete_object(
                    Bucket=self._bucket,
                    Key=version.key,
                    VersionId=version.version_id,
                )
            except (BotoCoreError, ClientError) as error:
                raise LandingError(
                    f"{version.key} cannot be deleted: {error}"
                ) from error
