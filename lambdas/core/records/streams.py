"""Records of formats that can be read piece by piece: JSON Lines and CSV.

An export of a gigabyte never stands in memory: a piece is about four megabytes.
"""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections.abc import Iterator
from typing import BinaryIO, Literal

import msgspec

from lambdas.core.records.documents import as_utf8, bad_response, charset_of, excerpt
from lambdas.core.records.json_path import kind_of

PIECE_BYTES = 4 * 1024 * 1024

_RECORD = msgspec.json.Decoder(msgspec.Raw)

# the longest record is refused by its own rule; csv's default refuses 128 KB
csv.field_size_limit(sys.maxsize)


def pieces(
    stream: BinaryIO, body_format: Literal["jsonl", "csv"], content_type: str = ""
) -> Iterator[list[bytes]]:
    """The records of `stream`, decompressed, in pieces; none for an empty body.

    Raises Terminal naming the line where it is not what it should be.
    """
    charset = charset_of(content_type)
    if body_format == "csv":
        return _of_csv(stream, charset)
    if charset not in {"utf-8", "ascii"}:
        # re-encoded line by line: in UTF-16 a line break is not one byte
        text = io.TextIOWrapper(stream, encoding=charset, newline="\n")
        return _of_lines(line.encode() for line in _decoded(text))
    return _of_lines(iter(stream))


def _of_lines(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """JSON Lines, each line one object; blank lines are none."""
    at = 1
    while piece := list(_until_full(lines)):
        body = b"".join(piece)
        if body.strip():
            yield _checked_lines(as_utf8(body), first=at)
        at += len(piece)


def _until_full(lines: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for line in lines:
        size += len(line)
        yield line
        if size >= PIECE_BYTES:
            return


def _checked_lines(body: bytes, *, first: int) -> list[bytes]:
    try:
        found = list(map(bytes, _RECORD.decode_lines(body)))
    except (msgspec.DecodeError, RecursionError):
        found = []
    lines = body.split(b"\n")
    filled = sum(1 for line in lines if line.strip())
    if len(found) != filled or not all(one.startswith(b"{") for one in found):
        for number, line in enumerate(lines, first):
            if line.strip() and not _is_object(line):
                raise bad_response(
                    f"line {number} is not one JSON object: `{excerpt(line)}`"
                )
    return found


def _is_object(line: bytes) -> bool:
    try:
        return kind_of(_RECORD.decode(line)) == "object"
    except (msgspec.DecodeError, RecursionError):
        return False


def _of_csv(stream: BinaryIO, charset: str) -> Iterator[list[bytes]]:
    """CSV (RFC 4180): the first row names the fields, and every value is a string."""
    encoding = "utf-8-sig" if charset in {"utf-8", "ascii"} else charset
    text = io.TextIOWrapper(stream, encoding=encoding, newline="")
    rows = csv.reader(_decoded(text), strict=True)
    encode = msgspec.json.Encoder().encode
    names: list[str] = []
    records: list[bytes] = []
    size = 0
    try:
        for row in rows:
            if not row:
                continue
            if not names:
                names = _names(row)
                continue
            if len(row) != len(names):
                raise bad_response(
                    f"line {rows.line_num} of the CSV has {len(row)} fields, its first "
                    f"row names {len(names)}"
                )
            records.append(encode(dict(zip(names, row, strict=True))))
            size += len(records[-1])
            if size >= PIECE_BYTES:
                yield records
                records, size = [], 0
    except csv.Error as error:
        raise bad_response(f"line {rows.line_num} of the CSV: {error}") from None
    if records:
        yield records


def _names(row: list[str]) -> list[str]:
    # an error that comes as a page or a document would be a header without rows
    other = {"<": "a page of HTML or XML", "{": "JSON", "[": "JSON"}
    looks = other.get(row[0].lstrip()[:1])
    if looks is not None:
        raise bad_response(
            f"expected CSV, got {looks} (`{excerpt(','.join(row).encode())}`)"
        )
    if len(set(row)) != len(row):
        raise bad_response(f"the CSV's first row names a field twice: {row}")
    return row


def _decoded(text: io.TextIOWrapper) -> Iterator[str]:
    try:
        yield from text
    except UnicodeDecodeError as error:
        raise bad_response(
            f"the answer is not {codecs.lookup(error.encoding).name}; declare the "
            "charset in Content-Type, or answer in UTF-8"
        ) from None
