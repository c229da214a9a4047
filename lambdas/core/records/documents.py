"""An answer's body as JSON, read once, whose values stay the bytes the API wrote.

What is refused, each as Terminal(kind=response): HTML, an empty or truncated body, a
wrong encoding, NaN and Infinity (RFC 8259 has neither), names used twice in an object.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping, Sequence

import msgspec

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.records.json_path import AnswerStep, answer_steps, follow, kind_of

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder(msgspec.Raw)
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_EXCERPT = 80

CHECKED_WHOLE_BYTES = 65_536
"""A page up to this size is searched for names used twice record by record; of a
longer page, sixteen records spread over it are."""

_SAMPLE = 16


def bad_response(message: str) -> Terminal:
    """The answer is not what was asked for, and asking again changes nothing."""
    return Terminal(message, kind=RunErrorKind.RESPONSE)


def excerpt(body: bytes) -> str:
    """The beginning of a body on one line, for a message."""
    text = " ".join(body[: _EXCERPT * 4].decode("utf-8", "replace").split())
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"


def charset_of(content_type: str) -> str:
    """The declared charset by Python's name for it; UTF-8 if none is declared.

    Raises Terminal for one that nobody knows.
    """
    declared = _CHARSET.search(content_type)
    charset = declared[1] if declared else "utf-8"
    try:
        name = codecs.lookup(charset).name
        "".encode(name)
    except (LookupError, TypeError, ValueError):
        raise bad_response(
            f"the answer declares the charset {charset!r}, which is none"
        ) from None
    return name


def as_utf8(body: bytes, content_type: str = "") -> bytes:
    """`body` as UTF-8 without a byte order mark; a declared charset is believed.

    Raises Terminal if the bytes are not what they are declared to be.
    """
    if not body.strip():
        raise bad_response(
            "the answer has no body; an API that has nothing to say answers 204, an "
            "empty array, or a status that response_actions can ignore"
        )
    charset = name = charset_of(content_type)
    if name in {"utf-8", "ascii"}:
        if body.isascii():
            return body
        body = body.removeprefix(codecs.BOM_UTF8)
        name = "utf-8"
    try:
        text = body.decode(name)
    except UnicodeDecodeError as error:
        looks = (
            "it looks like UTF-16"
            if body[:2] in {codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE}
            else "declare the charset in Content-Type, or answer in UTF-8"
        )
        raise bad_response(
            f"the answer is not {charset} at byte {error.start}; {looks}"
        ) from None
    except (TypeError, ValueError, LookupError):
        raise bad_response(f"{charset!r} is not an encoding of text") from None
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
            self._members = members(body)
            _refuse_lost_members(body, self._members)
        elif self.kind == "array":
            self._elements = elements(body)
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
        """Every value at `path`, as `json_path.find` does; a name with a dot in it,
        such as `@odata.nextLink`, is found as it is written.
        """
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
        """The members of the object below these names, read once; none if it is no
        object.
        """
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


def _checked(decoder: msgspec.json.Decoder, raw: bytes | msgspec.Raw):  # type: ignore[type-arg,no-untyped-def]  # noqa: ANN202 - members() and elements() say what it is
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise bad_response(_not_json(error, bytes(raw))) from None
    except RecursionError:
        raise bad_response(
            "the answer's JSON is nested too deeply to be read (over about 1,000 "
            "levels)"
        ) from None


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

    Cheap and exact for JSON written compactly or with ", " and ": ", where the lengths
    add up; otherwise a name seen twice anywhere leads to a full look.
    """
    texts = sum(len(name.encode()) + 2 for name in found)
    values = sum(len(memoryview(value)) for value in found.values())
    gaps = max(len(found) - 1, 0)
    if len(body) in {
        2 + texts + values + len(found) + gaps,
        2 + texts + values + 2 * len(found) + 2 * gaps,
    }:
        return
    if any(body.count(json.dumps(name).encode()) > 1 for name in found):
        refuse_repeated_names([body])


def refuse_repeated_names(records: Sequence[bytes]) -> None:
    """Raise Terminal if an object among `records` uses a name twice, at any depth."""
    for record in records:
        try:
            _STRICT(record.decode())
        except RecursionError:
            raise bad_response("a record is nested too deeply to be read") from None


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
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise bad_response(
            f"the name {', '.join(map(repr, twice))} stands twice in one object; "
            "which value counts is undefined (RFC 8259), so nothing lands"
        )
    return found


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_int=str).decode
"""Made once: `json.loads` would make it for every record."""
