"""An answer's body as JSON, read once, whose values stay the bytes the API wrote.

What is refused, each as Terminal(kind=response): HTML, an empty or truncated body, a
wrong encoding, NaN and Infinity (RFC 8259 has neither), names used twice in an object.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, TypeVar

import msgspec

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.records.json_path import AnswerStep, answer_steps, follow, kind_of

T = TypeVar("T")
R = TypeVar("R")

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder(msgspec.Raw)
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_EXCERPT = 80
_WHITE_SPACE = b" \t\r\n"

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The longer first: one begins as another does."""

MAX_RECORD_BYTES = 8 * 1024 * 1024
"""A longer record is refused: a VARIANT cell holds 16 MB in tables made before 2025
(Snowflake: "Semi-structured data types"), and a line this long is rarely one row."""

_ROOM = 200
"""Frames that may lie between where a body is read first and where a record of it is
read again: what is nested so deeply that only the first may follow is refused there."""

CHECKED_WHOLE_BYTES = 65_536
"""A page up to this size is searched for names used twice record by record; of a
longer page, sixteen records spread over it are."""

_SAMPLE = 16


def bad_response(message: str) -> Terminal:
    """The answer is not what was asked for, and asking again changes nothing."""
    return Terminal(message, kind=RunErrorKind.RESPONSE)


def excerpt(body: bytes) -> str:
    """The beginning of a body on one line, for a message.

    Whatever is cut off leaves an ellipsis: by it, a secret is known that was cut.
    """
    text = " ".join(body[: _EXCERPT * 4].decode("utf-8", "replace").split())
    is_cut = len(text) > _EXCERPT or len(body) > _EXCERPT * 4
    return f"{text[:_EXCERPT]}…" if is_cut else text


def known_encoding(name: str) -> str | None:
    """Python's name for an encoding of text; None for one that nobody knows."""
    try:
        found = codecs.lookup(name).name
        "".encode(found)
    except (LookupError, TypeError, ValueError):
        return None
    return found


def charset_of(content_type: str) -> str:
    """The declared charset by Python's name for it; UTF-8 if none is declared.

    Raises Terminal for one that nobody knows.
    """
    declared = _CHARSET.search(content_type)
    charset = declared[1] if declared else "utf-8"
    name = known_encoding(charset)
    if name is None:
        raise bad_response(
            f"the answer declares the charset {charset!r}, which is none"
        )
    return name


def marked_charset(body: bytes | BinaryIO) -> str | None:
    """What a byte order mark at the beginning says, if there is one."""
    if not isinstance(body, bytes):
        body.seek(0)
        start = body.read(4)
        body.seek(0)
        body = start
    return next((name for mark, name in _MARKS if body.startswith(mark)), None)


def as_utf8(body: bytes, content_type: str = "") -> bytes:
    """`body` as UTF-8 without a byte order mark, which is believed before a declared
    charset.

    Raises Terminal if the bytes are not what they are said to be.
    """
    if not body.strip():
        raise bad_response(
            "the answer has no body; an API that has nothing to say answers 204, an "
            "empty array, or a status that response_actions can ignore"
        )
    name = marked_charset(body) or charset_of(content_type)
    if name in {"utf-8", "ascii"}:
        if body.isascii():
            return body
        body = body.removeprefix(codecs.BOM_UTF8)
        name = "utf-8"
    try:
        text = body.decode(name)
    except UnicodeDecodeError as error:
        raise bad_response(
            f"the answer is not {name} at byte {error.start}; declare the charset in "
            "Content-Type, or answer in UTF-8"
        ) from None
    except (TypeError, ValueError, LookupError):
        raise bad_response(f"{name!r} is not an encoding of text") from None
    return body if name == "utf-8" else text.removeprefix("\ufeff").encode()


class Document:
    """A JSON body whose outer level is read once, however many paths are looked up.

    Raises Terminal at once if `body` is not one JSON value in UTF-8.
    """

    __slots__ = ("_elements", "_levels", "_members", "body", "kind")

    def __init__(self, body: bytes, *, content_type: str = "") -> None:
        body = as_utf8(body, content_type)
        first = body.lstrip()[:1]
        # some servers call their JSON text/html
        if first == b"<" or ("html" in content_type.lower() and first not in b"{["):
            raise bad_response(
                "expected JSON, got a page of HTML or XML "
                f"(`{excerpt(body)}`): often a login or an error page; check base_url, "
                "path, auth and the Accept header"
            )
        self.body = body
        self.kind = kind_of(body)
        self._members: Mapping[str, msgspec.Raw] = {}
        self._elements: Sequence[msgspec.Raw] = ()
        if self.kind == "object":
            self._members = with_room(members, body)
            _refuse_lost_members(body, self._members)
        elif self.kind == "array":
            self._elements = with_room(elements, body)
        else:
            _checked(_ANY, body)
        self._levels: dict[tuple[str, ...], Mapping[str, msgspec.Raw]] = {
            (): self._members
        }

    @property
    def members(self) -> Mapping[str, msgspec.Raw]:
        """The outer object's members; none if the body is not an object."""
        return self._members

    @property
    def elements(self) -> Sequence[msgspec.Raw]:
        """The outer array's elements; none if the body is not an array."""
        return self._elements

    def find(self, path: str) -> list[msgspec.Raw]:
        """Every value at `path`, as `json_path.find`; a dotted name may be literal."""
        if path in self._members:
            return [self._members[path]]
        way = answer_steps(path)
        names = _leading_names(way)
        value = self.at(names)
        return [] if value is None else follow([value], way[len(names) :])

    def at(self, names: tuple[str, ...]) -> msgspec.Raw | None:
        """The value below these names; None if it is not there."""
        if not names:
            return msgspec.Raw(self.body)
        return self.level(names[:-1]).get(names[-1])

    def level(self, names: tuple[str, ...]) -> Mapping[str, msgspec.Raw]:
        """The members of the object below these names, read once."""
        known = self._levels.get(names)
        if known is None:
            value = self.at(names)
            is_object = value is not None and kind_of(value) == "object"
            known = members(value) if value is not None and is_object else {}
            self._levels[names] = known
        return known

    def value(self, path: str) -> object:
        """The first value at `path` as a Python value, or None if there is none."""
        found = self.find(path)
        return msgspec.json.decode(found[0]) if found else None

    def describe(self) -> str:
        """What the outer level is, and the names that are there."""
        if self.kind == "object":
            names = ", ".join(f"`{name}`" for name in list(self._members)[:20])
            return f"an object with {names}" if names else "an empty object"
        if self.kind == "array":
            return f"an array of {len(self._elements)} elements"
        return f"a {self.kind}"


def _leading_names(way: Sequence[AnswerStep]) -> tuple[str, ...]:
    found: list[str] = []
    for step in way:
        if not isinstance(step, str):
            break
        found.append(step)
    return tuple(found)


def members(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """One level of an object. Raises Terminal if it is not JSON."""
    found: dict[str, msgspec.Raw] = _checked(_OBJECT, raw)
    return found


def elements(raw: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """One level of an array. Raises Terminal if it is not JSON."""
    found: list[msgspec.Raw] = _checked(_ARRAY, raw)
    return found


def with_room(read: Callable[[T], R], raw: T, frames: int = _ROOM) -> R:
    """What `read` makes of `raw` with so many frames less than there are.

    Raises RecursionError for what is nested more deeply than that.
    """
    return with_room(read, raw, frames - 1) if frames else read(raw)


def _checked(decoder: msgspec.json.Decoder, raw: bytes | msgspec.Raw):  # type: ignore[type-arg,no-untyped-def]  # noqa: ANN202 - members() and elements() say what it is
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise bad_response(_not_json(error, bytes(raw))) from None
    except RecursionError:
        raise too_deep() from None


def too_deep() -> Terminal:
    """JSON nested beyond what a reader here follows (about 1,000 levels)."""
    return bad_response("the answer's JSON is nested too deeply to be read")


def _not_json(error: msgspec.DecodeError, body: bytes) -> str:
    if "truncated" in str(error):
        return (
            f"the answer is JSON cut off after {len(body)} bytes; it was sent "
            "incomplete, or holds a broken escape"
        )
    if re.search(rb"[:,\[\s]-?(NaN|Infinity)\b", body):
        return (
            "the answer holds NaN or Infinity, which are not JSON (RFC 8259); "
            f"nothing of it can land: {error}"
        )
    return f"expected JSON, got `{excerpt(body)}`: {error}"


def _refuse_lost_members(body: bytes, found: Mapping[str, msgspec.Raw]) -> None:
    """Of a name used twice the decoder keeps one value: rows would vanish.

    Told by lengths: names, values and what stands between them add up to the body's,
    unless one is lost or a name is written with escapes; then a full look tells. White
    space is of two usual kinds, or is left out on both sides.
    """
    texts = len("".join(found).encode()) + 2 * len(found)
    values = sum(len(memoryview(value)) for value in found.values())
    gaps = max(len(found) - 1, 0)
    if len(body) in {
        2 + texts + values + len(found) + gaps,
        2 + texts + values + 2 * len(found) + 2 * gaps,
    }:
        return
    dense = len(b"".join(map(bytes, found.values())).translate(None, _WHITE_SPACE))
    dense += len("".join(found).encode().translate(None, _WHITE_SPACE))
    if len(body.translate(None, _WHITE_SPACE)) != 2 + dense + 3 * len(found) + gaps:
        refuse_repeated_names([body])


def refuse_long(records: Sequence[bytes], size: int) -> None:
    """Raise Terminal if one of `records`, `size` bytes together, is too long."""
    if size <= MAX_RECORD_BYTES:
        return
    longest = max(map(len, records), default=0)
    if longest > MAX_RECORD_BYTES:
        raise bad_response(
            f"a record of {longest} bytes is longer than {MAX_RECORD_BYTES}, and does "
            "not load as one row; select what is inside it with data_selector, or ask "
            "the API for fewer fields"
        )


def refuse_repeated_names(records: Sequence[bytes]) -> None:
    """Raise Terminal if an object among `records` uses a name twice, at any depth."""
    for record in records:
        try:
            _STRICT(record.decode())
        except RecursionError:
            raise too_deep() from None


def refuse_repeated_names_in_page(records: Sequence[bytes], size: int) -> None:
    """`refuse_repeated_names` for a page of `size` bytes, by sample if it is long.

    Looking at every record of a long page would cost ten times what reading it costs;
    an API that repeats a name does so in every record.
    """
    if size <= CHECKED_WHOLE_BYTES:
        refuse_repeated_names(records)
    else:
        step = max(1, len(records) // _SAMPLE)
        refuse_repeated_names(records[::step][:_SAMPLE])


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = sorted(name for name, count in counts.items() if count > 1)
        raise bad_response(
            f"the name {', '.join(map(repr, twice))} is twice in one object; "
            "which value counts is undefined (RFC 8259), so nothing lands"
        )
    return found


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_int=str).decode
"""Made once: `json.loads` would make it for every record."""
