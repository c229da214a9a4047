"""The landing zone on S3: multipart uploads that become visible when completed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.errors import LandingError, UploadGone
from lambdas.core.pull.run import PendingObject, UploadPart

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_BYTES = 8 * 1024 * 1024
"""Parts but the last must be at least 5 MiB (S3: "Multipart upload limits")."""
_GONE = {"404", "NoSuchKey", "NotFound"}
_PAST_THE_END = {"416", "InvalidRange"}
_REFUSED_WHEN_THERE = {"412", "PreconditionFailed", "ConditionalRequestConflict"}


class LandingBucket:
    """A bucket, with an optional prefix before every key."""

    def __init__(
        self,
        *,
        s3: S3Client,
        bucket: str,
        prefix: str = "",
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._part_bytes = part_bytes

    def open(self, key: str, *, run_id: str) -> OpenUpload:
        """Begin a multipart upload; nothing of it is visible."""
        try:
            answer = self._s3.create_multipart_upload(
                Bucket=self._bucket,
                Key=self._prefix + key,
                ChecksumAlgorithm="CRC32",
                ContentType="application/x-ndjson",
                Metadata={"run-id": run_id},
            )
        except (ClientError, BotoCoreError) as error:
            raise self._refused("open", key, error) from error
        return OpenUpload(
            s3=self._s3,
            bucket=self._bucket,
            prefix=self._prefix,
            key=key,
            upload_id=answer["UploadId"],
            part_bytes=self._part_bytes,
        )

    def complete(self, pending: PendingObject, *, run_id: str) -> None:
        """Make the object visible; UploadGone if neither it nor its upload is there.

        A completion that was answered before, or whose answer was lost, is told by
        looking: the object that is there must be of this run and of this size.
        """
        try:
            self._s3.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._prefix + pending.key,
                UploadId=pending.upload_id,
                IfNoneMatch="*",
                MultipartUpload={
                    "Parts": [
                        {
                            "ETag": part.etag,
                            "PartNumber": part.number,
                            "ChecksumCRC32": part.checksum,
                        }
                        for part in pending.parts
                    ]
                },
            )
        except (ClientError, BotoCoreError) as error:
            if self.is_visible(pending, run_id=run_id):
                return
            if _code(error) == "NoSuchUpload":
                raise UploadGone(
                    f"the upload of {pending.key} is gone and the object is not there"
                ) from error
            raise self._refused("complete", pending.key, error) from error

    def is_visible(self, pending: PendingObject, *, run_id: str) -> bool:
        """Whether exactly this object, of this run and size, is there.

        Raises LandingError if another object has its name, or if S3 refuses to say.
        """
        try:
            head = self._s3.head_object(
                Bucket=self._bucket, Key=self._prefix + pending.key
            )
        except (ClientError, BotoCoreError) as error:
            if _code(error) in _GONE:
                return False
            raise self._refused("look for", pending.key, error) from error
        if (
            head["Metadata"].get("run-id") != run_id
            or head["ContentLength"] != pending.size
        ):
            raise LandingError(
                f"{pending.key} is there, but it is not the object of run {run_id} "
                f"({pending.size} bytes expected, {head['ContentLength']} found): "
                "somebody else wrote that name"
            )
        return True

    def put(self, key: str, body: bytes) -> None:
        """Write a small object once; what is there already stays."""
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=self._prefix + key, Body=body, IfNoneMatch="*"
            )
        except (ClientError, BotoCoreError) as error:
            if _code(error) not in _REFUSED_WHEN_THERE:
                raise self._refused("write", key, error) from error

    def get(self, key: str) -> bytes | None:
        """Read a small object whole; None if it is not there."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
            return answer["Body"].read()
        except (ClientError, BotoCoreError) as error:
            if _code(error) in _GONE:
                return None
            raise self._refused("read", key, error) from error

    def delete(self, key: str) -> None:
        """Remove a small object."""
        try:
            self._s3.delete_object(Bucket=self._bucket, Key=self._prefix + key)
        except (ClientError, BotoCoreError) as error:
            raise self._refused("delete", key, error) from error

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The names of objects below `prefix` that come after `after`, in order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._prefix + prefix,
            StartAfter=self._prefix + (after or prefix),
        )
        try:
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"][len(self._prefix) :]
        except (ClientError, BotoCoreError) as error:
            raise self._refused("list", prefix, error) from error

    def read(self, key: str, *, start: int, size: int) -> bytes | None:
        """A piece of an object; b"" past its end, None if it is not there.

        Each piece is a request of its own: a connection that stays open while
        upstream is asked would be closed on the other side.
        """
        try:
            answer = self._s3.get_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Range=f"bytes={start}-{start + size - 1}",
            )
            return answer["Body"].read()
        except (ClientError, BotoCoreError) as error:
            if _code(error) in _GONE:
                return None
            if _code(error) in _PAST_THE_END:
                return b""
            raise self._refused("read", key, error) from error

    def _refused(self, verb: str, key: str, error: Exception) -> LandingError:
        return LandingError(f"S3 refused to {verb} {key}: {error}")


class OpenUpload:
    """One multipart upload: buffers a part, uploads it when it is full."""

    def __init__(
        self,
        *,
        s3: S3Client,
        bucket: str,
        prefix: str,
        key: str,
        upload_id: str,
        part_bytes: int,
    ) -> None:
        self._s3 = s3
        self._key = key
        self._at: Any = {
            "Bucket": bucket,
            "Key": prefix + key,
            "UploadId": upload_id,
        }
        self._upload_id = upload_id
        self._part_bytes = part_bytes
        self._buffer = io.BytesIO()
        self._parts: list[UploadPart] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append; at most one part is held in memory."""
        self._buffer.write(data)
        self._size += len(data)
        if self._buffer.tell() >= self._part_bytes:
            self._upload()

    def finish(self, rows: int) -> PendingObject:
        """Upload the last part. The object is whole, and not yet visible."""
        if self._buffer.tell() or not self._parts:
            self._upload()
        return PendingObject(
            key=self._key,
            upload_id=self._upload_id,
            parts=tuple(self._parts),
            rows=rows,
            size=self._size,
        )

    def abort(self) -> None:
        """Drop the upload; if S3 does not answer, the bucket's lifecycle will."""
        try:
            self._s3.abort_multipart_upload(**self._at)
        except (ClientError, BotoCoreError):
            return

    def _upload(self) -> None:
        number = len(self._parts) + 1
        body = self._buffer.getvalue()
        self._buffer = io.BytesIO()
        try:
            answer = self._s3.upload_part(
                **self._at, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32"
            )
        except (ClientError, BotoCoreError) as error:
            raise LandingError(
                f"S3 refused part {number} of {self._key}: {error}"
            ) from error
        self._parts.append(
            UploadPart(
                number=number, etag=answer["ETag"], checksum=answer["ChecksumCRC32"]
            )
        )


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""
