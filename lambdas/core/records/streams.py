"""Records of formats that can be read in parts: JSON Lines and CSV.

An export of a gigabyte never stands in memory: a part is about four megabytes, and no
line or field is longer than a record may be.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterable, Iterator
from typing import AnyStr, BinaryIO, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lambdas.core.records.csv_header import names_of, refuse_apology, refuse_document
from lambdas.core.records.documents import (
    MAX_RECORD_BYTES,
    as_utf8,
    bad_response,
    charset_of,
    excerpt,
    known_encoding,
    marked_charset,
    refuse_long,
    refuse_repeated_names_in_page,
    with_room,
)
from lambdas.core.records.json_path import kind_of

PIECE_BYTES = 4 * 1024 * 1024
_DECODED_BYTES = 256 * 1024
"""Read at a time where they become text, of which a copy takes four times as much."""

_RECORD = msgspec.json.Decoder(msgspec.Raw)

# csv's default refuses 128 KB
csv.field_size_limit(MAX_RECORD_BYTES)


class CsvFormat(BaseModel):
    """The dialect of a CSV, where it differs from RFC 4180."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    type: Literal["csv"]
    delimiter: str = Field(
        default=",", min_length=1, max_length=1, description="between two fields"
    )
    encoding: str | None = Field(
        default=None,
        description="such as cp1252; absent = what Content-Type or a byte order mark "
        "says, else UTF-8",
    )
    quote: str | None = Field(
        default='"',
        min_length=1,
        max_length=1,
        description="around a field; null = quotes mean nothing",
    )
    skip_lines: int = Field(
        default=0, ge=0, description="lines before the row that names the fields"
    )

    @model_validator(mode="after")
    def _is_readable(self) -> Self:
        if self.encoding is not None and known_encoding(self.encoding) is None:
            message = (
                f"encoding `{self.encoding}` is not known; accepted: a name that "
                "Python knows, such as utf-8, cp1252, latin-1 or utf-16"
            )
            raise ValueError(message)
        if self.delimiter == self.quote or {self.delimiter, self.quote} & {*"\r\n"}:
            message = "delimiter and quote must differ, and be no line break"
            raise ValueError(message)
        return self


def json_lines(stream: BinaryIO, content_type: str = "") -> Iterator[list[bytes]]:
    """The records of `stream`, decompressed, in parts; blank lines are none.

    A record is a JSON value of any kind, though one of a part must be an object.
    Raises Terminal naming the line where it is not what it should be.
    """
    charset = marked_charset(stream) or charset_of(content_type)
    at = 1
    for block in _whole_lines(_encoded(stream, charset), b"\n"):
        if block.strip():
            records = _checked_lines(as_utf8(block), first=at)
            size = len(block)
            refuse_long(records, size)
            refuse_repeated_names_in_page(records, size)
            yield records
        at += block.count(b"\n")


def csv_rows(
    stream: BinaryIO,
    form: CsvFormat,
    content_type: str = "",
    *,
    needed: Collection[str] = (),
    before: Collection[str] = (),
) -> Iterator[list[bytes]]:
    """The records of a CSV, decompressed, in parts: the first row names the fields, and
    every value is a string. An empty body has none.

    Raises Terminal naming the line where it is not what it should be, or what of
    `needed` no field is called, or if none is called as one `before`.
    """
    charset = form.encoding or marked_charset(stream) or charset_of(content_type)
    lines = _CsvLines(stream, charset, skip=form.skip_lines)
    rows = csv.reader(
        lines,
        delimiter=form.delimiter,
        quotechar=form.quote,
        quoting=csv.QUOTE_NONE if form.quote is None else csv.QUOTE_MINIMAL,
        strict=True,
    )
    encode = msgspec.json.Encoder().encode
    names: list[str] = []
    records: list[bytes] = []
    size, has_rows = 0, False
    try:
        for row in rows:
            lines.pending = 0
            if not row:
                continue
            if not names:
                names = names_of(row, form.delimiter, needed, before)
                continue
            if len(row) != len(names):
                raise bad_response(
                    f"line {lines.number} of the CSV has {len(row)} fields, its first "
                    f"row names {len(names)}"
                )
            has_rows = True
            # the names again, as where files were put together, are no record
            is_record = row != names or len(names) == 1
            record = dict(zip(names, row, strict=True)) if is_record else row
            records.append(encode(record))
            refuse_long(records[-1:], len(records[-1]))
            size += len(records[-1])
            if size >= PIECE_BYTES:
                yield records
                records, size = [], 0
    except csv.Error as error:
        raise bad_response(f"line {lines.number} of the CSV: {error}") from None
    if records:
        yield records
    if not names:
        lines.refuse_all_skipped()
    elif not has_rows and not needed:
        refuse_apology(names)


class _CsvLines:
    """The lines of a CSV for `csv.reader`. `pending` are the characters of the row that
    is not whole yet: a quote that is never closed would take the rest of the file.
    """

    def __init__(self, stream: BinaryIO, charset: str, *, skip: int) -> None:
        self.number = 0
        self.pending = 0
        self._skip = skip
        self._skipped = ""
        self._blocks = _whole_lines(_decoded(stream, charset), "\n")

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks:
            for line in io.StringIO(block, newline=""):
                self.number += 1
                if self.number <= self._skip:
                    self._see_skipped(line)
                    continue
                self.pending += len(line)
                if self.pending > MAX_RECORD_BYTES:
                    raise _too_long(self.number)
                if "\0" in line:
                    raise bad_response(
                        f"line {self.number} of the CSV holds a NUL; if it is UTF-16, "
                        "declare `format: {type: csv, encoding: utf-16}`"
                    )
                yield line

    def _see_skipped(self, line: str) -> None:
        if not self._skipped:
            self._skipped = line.strip()
            refuse_document(self._skipped, "<{")

    def refuse_all_skipped(self) -> None:
        """Raise Terminal if there was something, and all of it was skipped."""
        if self._skipped:
            raise bad_response(
                f"expected CSV, got no more than the {self.number} lines that "
                f"skip_lines skips, the first `{excerpt(self._skipped.encode())}`; if "
                "an answer without rows looks like this, ignore it with "
                "response_actions"
            )


def _whole_lines(chunks: Iterable[AnyStr], line_end: AnyStr) -> Iterator[AnyStr]:
    """`chunks` cut anew, at the ends of lines.

    Raises Terminal for a line that is longer than any record.
    """
    rest, line = line_end[:0], 1
    for chunk in chunks:
        block = rest + chunk
        end = block.rfind(line_end) + 1
        rest = block[end:]
        if len(rest) > MAX_RECORD_BYTES:
            raise _too_long(line + block.count(line_end))
        if end:
            line += block.count(line_end)
            yield block[:end]
    if rest:
        yield rest


def _too_long(line: int) -> Exception:
    return bad_response(
        f"line {line} is longer than {MAX_RECORD_BYTES} bytes, which does not load as "
        "one row"
    )


def _encoded(stream: BinaryIO, charset: str) -> Iterator[bytes]:
    """The stream in UTF-8: in UTF-16 a line break is not one byte."""
    if charset in {"utf-8", "ascii"}:
        yield from iter(lambda: stream.read(PIECE_BYTES), b"")
        return
    for text in _decoded(stream, charset):
        yield text.encode()


def _decoded(stream: BinaryIO, charset: str) -> Iterator[str]:
    encoding = "utf-8-sig" if charset in {"utf-8", "ascii"} else charset
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in iter(lambda: stream.read(_DECODED_BYTES), b""):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise bad_response(
            f"the answer is not {charset}; declare its charset in Content-Type, or of "
            "a CSV as `format: {type: csv, encoding: cp1252}`"
        ) from None


def _checked_lines(body: bytes, *, first: int) -> list[bytes]:
    try:
        found = list(map(bytes, with_room(_RECORD.decode_lines, body)))
    except (msgspec.DecodeError, RecursionError):
        found = []
    lines = body.split(b"\n")
    filled = sum(1 for line in lines if line.strip())
    has_objects = any(one.startswith(b"{") for one in found)
    if len(found) != filled or not has_objects:
        for number, line in enumerate(lines, first):
            if line.strip() and not _is_value(line, only_objects=not has_objects):
                raise bad_response(
                    f"line {number} is not one JSON object: `{excerpt(line)}`"
                )
    return found


def _is_value(line: bytes, *, only_objects: bool) -> bool:
    try:
        kind = kind_of(with_room(_RECORD.decode, line))
    except (msgspec.DecodeError, RecursionError):
        return False
    return kind == "object" or not only_objects
