"""The landing zone as a folder: for pulls on one machine.

An open object is a file below `.uploads/`, on the same file system as its place. To
complete it is to give that file its name by a hard link, which the system refuses if
the name is taken: as on S3, an object appears whole, and is never written twice.
"""

from __future__ import annotations

import os
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from lambdas.core.errors import LandingError, UploadGone
from lambdas.core.pull.run import PendingObject, UploadPart

UPLOADS = ".uploads"
ABANDONED_S = 7 * 86_400


class FolderLanding:
    """LandingZone below one folder, which is made if it is not there."""

    def __init__(self, *, root: Path) -> None:
        """Raises LandingError if the folder cannot be made."""
        self._root = root
        self._uploads = root / UPLOADS
        try:
            self._uploads.mkdir(parents=True, exist_ok=True)
            self._forget_abandoned()
        except OSError as error:
            raise _refused("make", str(root), error) from error

    def open(self, key: str, *, run_id: str) -> OpenFile:
        """Begin an object that nobody sees yet."""
        self._place(key)
        upload_id = f"{run_id}-{secrets.token_hex(8)}"
        return OpenFile(key=key, upload_id=upload_id, path=self._uploads / upload_id)

    def complete(self, pending: PendingObject, *, run_id: str) -> None:
        """Give the object its name; doing it again changes nothing.

        Raises UploadGone if neither the upload nor the object is there, LandingError
        if another object has the name.
        """
        upload = self._uploads / pending.upload_id
        place = self._place(pending.key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(upload, place)
        except FileExistsError:
            self.is_visible(pending, run_id=run_id)
        except FileNotFoundError:
            if not self.is_visible(pending, run_id=run_id):
                raise UploadGone(
                    f"the upload of {pending.key} is gone and the object is not there"
                ) from None
        except OSError as error:
            raise _refused("complete", pending.key, error) from error
        self._sync(place.parent)
        upload.unlink(missing_ok=True)

    def is_visible(self, pending: PendingObject, *, run_id: str) -> bool:
        """Whether exactly this object, of this size and content, is there.

        Raises LandingError if another object has its name.
        """
        place = self._place(pending.key)
        try:
            found = place.stat().st_size
            same = found == pending.size and _checksum(place) == pending.parts[0].etag
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _refused("look for", pending.key, error) from error
        if not same:
            raise LandingError(
                f"{pending.key} is there, but it is not the object of run {run_id} "
                f"({pending.size} bytes expected, {found} found): somebody else wrote "
                "that name"
            )
        return True

    def put(self, key: str, body: bytes) -> None:
        """Write a small object once; what is there already stays."""
        place = self._place(key)
        upload = self._uploads / f"put-{secrets.token_hex(8)}"
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with upload.open("xb") as stream:
                stream.write(body)
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileExistsError):
                os.link(upload, place)
            self._sync(place.parent)
        except OSError as error:
            raise _refused("write", key, error) from error
        finally:
            upload.unlink(missing_ok=True)

    def get(self, key: str) -> bytes | None:
        """Read a small object whole; None if it is not there."""
        try:
            return self._place(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refused("read", key, error) from error

    def delete(self, key: str) -> None:
        """Remove a small object; gone already is fine."""
        try:
            self._place(key).unlink(missing_ok=True)
        except OSError as error:
            raise _refused("delete", key, error) from error

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The names of files in the folder `prefix` (`…/`) after `after`, in order."""
        try:
            folder = self._place(prefix)
            names = sorted(
                entry.name for entry in os.scandir(folder) if entry.is_file()
            )
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refused("list", prefix, error) from error
        for name in names:
            if (key := f"{prefix}{name}") > after:
                yield key

    def read(self, key: str, *, start: int, size: int) -> bytes | None:
        """A piece of an object; b"" past its end, None if it is not there."""
        try:
            with self._place(key).open("rb") as stream:
                stream.seek(start)
                return stream.read(size)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refused("read", key, error) from error

    def _forget_abandoned(self) -> None:
        """Uploads that nobody came back for expire, as by a lifecycle rule on S3."""
        for upload in self._uploads.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - upload.stat().st_mtime > ABANDONED_S:
                    upload.unlink()

    def _place(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or parts[0] in ("/", UPLOADS) or ".." in parts:
            raise LandingError(f"{key!r} is not a key below {self._root}")
        return self._root.joinpath(*parts)

    def _sync(self, folder: Path) -> None:
        """Make names last: each folder from here up to the root."""
        while True:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if folder in (self._root, folder.parent):
                return
            folder = folder.parent


class OpenFile:
    """One file that is being written below `.uploads/`."""

    def __init__(self, *, key: str, upload_id: str, path: Path) -> None:
        self._key = key
        self._upload_id = upload_id
        self._path = path
        self._size = 0
        self._crc = 0
        try:
            self._stream = path.open("xb")
        except OSError as error:
            raise _refused("open", key, error) from error

    def write(self, data: bytes) -> None:
        """Append compressed bytes."""
        try:
            self._stream.write(data)
        except OSError as error:
            raise _refused("write", self._key, error) from error
        self._size += len(data)
        self._crc = zlib.crc32(data, self._crc)

    def finish(self, rows: int) -> PendingObject:
        """Have all of it on the disk. The object is whole, and not yet visible."""
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
        except OSError as error:
            raise _refused("write", self._key, error) from error
        checksum = f"{self._crc:08x}"
        return PendingObject(
            key=self._key,
            upload_id=self._upload_id,
            parts=(UploadPart(number=1, etag=checksum, checksum=checksum),),
            rows=rows,
            size=self._size,
        )

    def abort(self) -> None:
        """Drop the file."""
        with suppress(OSError):
            self._stream.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _checksum(path: Path) -> str:
    crc = 0
    with path.open("rb") as stream:
        while block := stream.read(1024 * 1024):
            crc = zlib.crc32(block, crc)
    return f"{crc:08x}"


def _refused(verb: str, what: str, error: OSError) -> LandingError:
    reason = error.strerror or type(error).__name__
    return LandingError(f"the file system refused to {verb} {what}: {reason}")
