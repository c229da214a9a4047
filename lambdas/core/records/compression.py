"""Bodies without their compression: content encodings, and formats that are gzip."""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO, cast

from isal import igzip, isal_zlib

from lambdas.core.errors import RunErrorKind, Terminal, Transient

GZIP_WBITS = 31
"""zlib's `wbits` for gzip with a window of 32 KB."""
GZIP_LEVEL = 1

MAX_LAYERS = 4
"""Of compression around one body. There is a gzip file that unzips to itself."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = frozenset({"gzip", "x-gzip", "identity", ""})
_SAMPLE_BYTES = 1024
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f")) + b"\x7f"

DAMAGE: tuple[type[Exception], ...] = (
    EOFError, OSError, zlib.error, cast("type[Exception]", isal_zlib.error),
)  # fmt: skip


def decoded(raw: bytes, encoding: str, limit: int) -> bytes:
    """`raw` without its content encoding, and without gzip that is the format itself
    (a `.csv.gz`). What is plain stays so, whatever it is said to be.

    Raises Transient if it is cut off or damaged, and Terminal if it is longer than
    `limit` bytes, compressed more than `MAX_LAYERS` times, or in an encoding that was
    not asked for.
    """
    for name in reversed(_encodings(encoding)):
        if name == "deflate":
            raw = _inflated(raw, limit)
        elif name not in _GZIP:
            _refuse_unless_text(raw, name)
    for _ in range(MAX_LAYERS):
        if not raw.startswith(_GZIP_MAGIC):
            return raw
        raw = _gunzipped(raw, limit)
    if raw.startswith(_GZIP_MAGIC):
        raise _too_many_layers()
    return raw


def unpacked(stream: BinaryIO, encoding: str) -> BinaryIO:
    """`stream` from its beginning without its compression, read as it is needed.

    Raises Terminal for an encoding that cannot be read in parts, and for more than
    `MAX_LAYERS`. What is cut off or damaged shows while reading, as one of `DAMAGE`.
    """
    stream.seek(0)
    for name in _encodings(encoding):
        if name not in _GZIP:
            _refuse_unless_text(stream.read(_SAMPLE_BYTES), name)
            stream.seek(0)
    for _ in range(MAX_LAYERS + 1):
        magic = stream.read(2)
        stream.seek(0)
        if magic != _GZIP_MAGIC:
            return stream
        unzipped = igzip.IGzipFile(fileobj=stream, mode="rb")  # type: ignore[no-untyped-call] # isal's stub is partial
        stream = cast("BinaryIO", unzipped)
    raise _too_many_layers()


def _encodings(header: str) -> list[str]:
    names = [part.strip().lower() for part in header.split(",", MAX_LAYERS)]
    if len(names) > MAX_LAYERS:
        raise _too_many_layers()
    return names


def _refuse_unless_text(raw: bytes, name: str) -> None:
    """Some servers name a charset or nonsense as the encoding of a plain body."""
    if not _is_text(raw):
        raise Terminal(
            f"answered in the content encoding {name!r}, which was not asked for; "
            "catflap reads gzip, and deflate where the answer is JSON",
            kind=RunErrorKind.RESPONSE,
        )


def _is_text(raw: bytes) -> bool:
    sample = raw[:_SAMPLE_BYTES]
    # a character may be cut at the sample's end
    is_utf8 = not sample.decode("utf-8", "replace")[:-1].count("�")
    return is_utf8 and sample.translate(None, _CONTROLS) == sample


def _gunzipped(raw: bytes, limit: int) -> bytes:
    """All members of a gzip file. Raises Transient if it is cut off or damaged."""
    unzipped = igzip.IGzipFile(fileobj=io.BytesIO(raw), mode="rb")  # type: ignore[no-untyped-call] # isal's stub is partial
    try:
        body: bytes = unzipped.read(limit + 1)
    except DAMAGE:
        raise broken_gzip() from None
    if len(body) > limit:
        raise too_long(limit)
    return body


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
    if _is_text(raw):
        return raw
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


def _too_many_layers() -> Terminal:
    return Terminal(
        f"sent data that is compressed more than {MAX_LAYERS} times over; send it "
        "compressed once",
        kind=RunErrorKind.RESPONSE,
    )
