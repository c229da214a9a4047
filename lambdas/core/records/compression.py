"""Bodies without their compression: content encodings, and formats that are gzip."""

from __future__ import annotations

import zlib
from typing import BinaryIO, cast

from isal import igzip, isal_zlib

from lambdas.core.errors import RunErrorKind, Terminal, Transient

_GZIP_MAGIC = b"\x1f\x8b"
_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate", "identity", ""})


def decoded(raw: bytes, encoding: str, limit: int) -> bytes:
    """`raw` without its content encoding, and without gzip that is the format itself
    (a `.csv.gz`), however often it was put around.

    Raises Transient if it is cut off or damaged, and Terminal if it is longer than
    `limit` bytes or in an encoding that was not asked for.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        if name not in _ENCODINGS:
            raise Terminal(
                f"answered in the content encoding {name!r}, which was not asked for; "
                "only gzip and deflate are read",
                kind=RunErrorKind.RESPONSE,
            )
        if name == "deflate":
            raw = _inflated(raw, limit)
    while raw.startswith(_GZIP_MAGIC):
        raw = _gunzipped(raw, limit)
    return raw


def unpacked(stream: BinaryIO, encoding: str) -> BinaryIO:
    """`stream` from its beginning without its compression, read as it is needed.

    Raises Terminal for an encoding that cannot be read piece by piece. What is cut off
    or damaged shows while reading, as one of `DAMAGE`.
    """
    if encoding.strip().lower() not in _ENCODINGS - {"deflate"}:
        raise Terminal(
            f"answered in the content encoding {encoding!r}, which was not asked for; "
            "only gzip is read",
            kind=RunErrorKind.RESPONSE,
        )
    stream.seek(0)
    while True:
        magic = stream.read(2)
        stream.seek(0)
        if magic != _GZIP_MAGIC:
            return stream
        unzipped = igzip.IGzipFile(fileobj=stream, mode="rb")  # type: ignore[no-untyped-call] # isal's stub is partial
        stream = cast("BinaryIO", unzipped)


DAMAGE: tuple[type[Exception], ...] = (
    EOFError, OSError, zlib.error, cast("type[Exception]", isal_zlib.error),
)  # fmt: skip


def _gunzipped(raw: bytes, limit: int) -> bytes:
    """All members of a gzip file. Raises Transient if it is cut off or damaged."""
    whole: list[bytes] = []
    left = limit
    while raw.startswith(_GZIP_MAGIC):
        inflater = isal_zlib.decompressobj(wbits=31)
        try:
            part = inflater.decompress(raw, left + 1)
        except isal_zlib.error:  # type: ignore[misc] # its stub says Exception()
            raise broken_gzip() from None
        whole.append(part)
        left -= len(part)
        if left < 0:
            raise too_long(limit)
        if not inflater.eof:
            raise broken_gzip()
        raw = inflater.unused_data
    return whole[0] if len(whole) == 1 else b"".join(whole)


def _inflated(raw: bytes, limit: int) -> bytes:
    """`deflate`, in the zlib format or, as some servers send it, without."""
    for wbits in (15, -15):
        inflater = zlib.decompressobj(wbits)
        try:
            body = inflater.decompress(raw, limit + 1)
        except zlib.error:
            continue
        if len(body) > limit:
            raise too_long(limit)
        if inflater.eof:
            return body
    raise broken_gzip()


def broken_gzip() -> Transient:
    """Compressed data that is cut off or damaged: worth another try."""
    return Transient(
        "sent compressed data that is cut off or damaged", kind=RunErrorKind.RESPONSE
    )


def too_long(limit: int) -> Terminal:
    """More than `limit` bytes in one answer."""
    return Terminal(
        f"sent more than {limit} bytes in one answer; ask for smaller pages",
        kind=RunErrorKind.RESPONSE,
    )
