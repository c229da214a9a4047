"""Rate budgets in files beside the state, for all pulls of one machine that keep their
state in the same folder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lambdas.adapters.sources.rate_budget import StoredBucket
from lambdas.core.errors import BadInput
from lambdas.core.source.rate_limit import Bucket

FOLDER = ".catflap-rates"


class _Kept(msgspec.Struct):
    """What a file holds."""

    bucket: Bucket
    version: int


_kept = msgspec.json.Decoder(_Kept)


class RateFiles:
    """BucketStore in a folder: a file for each API, locked while it is looked at."""

    def __init__(self, *, folder: Path) -> None:
        self._folder = folder / FOLDER

    def read(self, key: str) -> StoredBucket:
        """What stands there. Raises BadInput if the folder cannot be used."""
        with self._locked(key) as descriptor:
            return _stored(descriptor)

    def write(self, key: str, after: StoredBucket) -> bool:
        """Put it there, if nobody else did since it was read."""
        if after.bucket is None:
            message = "a bucket is needed to write one"
            raise ValueError(message)
        with self._locked(key) as descriptor:
            if _stored(descriptor).version != after.version - 1:
                return False
            document = _Kept(bucket=after.bucket, version=after.version)
            body = msgspec.json.encode(document)
            # never half a document: the new one is at least as long, or padded
            length = max(len(body), os.fstat(descriptor).st_size)
            os.pwrite(descriptor, body.ljust(length), 0)
            return True

    @contextmanager
    def _locked(self, key: str) -> Iterator[int]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{key}.json"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise BadInput(
                f"the rate budgets in {self._folder} cannot be used ({reason}); keep "
                "the state in a folder that you may write to, with --state"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _stored(descriptor: int) -> StoredBucket:
    document = os.pread(descriptor, 65_536, 0)
    try:
        kept = _kept.decode(document)
    except msgspec.DecodeError:
        # empty, or left half-written by a machine that lost its power
        return StoredBucket(bucket=None, version=0)
    return StoredBucket(bucket=kept.bucket, version=kept.version)
