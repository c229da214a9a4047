"""Takes a value out of a record and leaves every other byte as it is.

A record that is decoded and encoded again loses digits of numbers, the way its text was
escaped, and its order. So the members are found in the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from lambdas.core.records.json_path import Step

_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_INNER = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_PLAIN = re.compile(rb"[^\s,:\]}]+")
_SPACE = re.compile(rb"\s*")


@dataclass(frozen=True, slots=True)
class _Part:
    """A member of an object or an element of an array, as places in the bytes.

    `start` is where its name begins, or its value if it has none.
    """

    name: str | None
    start: int
    value: int
    end: int


def without(record: bytes, path: Sequence[Step]) -> bytes:
    """`record` without what stands at `path`: a member goes, an element becomes null,
    so that those after it stay where they are. A wildcard is the first element.

    What is not there changes nothing. `record` must be JSON.
    """
    return _without(record, tuple(path))


def _without(document: bytes, path: tuple[Step, ...]) -> bytes:
    step = 0 if path[0] is None else path[0]
    opening = document[_SPACE.match(document).end() :][:1]  # type: ignore[union-attr]  # it matches nothing, too
    if opening not in (b"{", b"[") or (opening == b"{") != isinstance(step, str):
        return document
    parts = _parts(document)
    if isinstance(step, str):
        found = [number for number, one in enumerate(parts) if one.name == step]
    else:
        found = [step % len(parts)] if -len(parts) <= step < len(parts) else []
    if len(path) > 1:
        for number in reversed(found):
            part = parts[number]
            inner = _without(document[part.value : part.end], path[1:])
            document = document[: part.value] + inner + document[part.end :]
        return document
    if isinstance(step, int):
        for number in found:
            part = parts[number]
            document = document[: part.value] + b"null" + document[part.end :]
        return document
    return _joined(document, parts, gone=set(found))


def _joined(document: bytes, parts: list[_Part], *, gone: set[int]) -> bytes:
    """The object without some of its members; each that stays keeps what parted it
    from the one before.
    """
    if not gone:
        return document
    text = document[: parts[0].start]
    is_first = True
    for number, part in enumerate(parts):
        if number in gone:
            continue
        if not is_first:
            text += document[parts[number - 1].end : part.start]
        text += document[part.start : part.end]
        is_first = False
    return text + document[parts[-1].end :]


def _parts(document: bytes) -> list[_Part]:
    """What is one level below an object or an array, in order."""
    at = _skip(document, 0)
    is_object = document[at : at + 1] == b"{"
    at = _skip(document, at + 1)
    found: list[_Part] = []
    while document[at : at + 1] not in (b"}", b"]"):
        start, name = at, None
        if is_object:
            end = _TEXT.match(document, at).end()  # type: ignore[union-attr]  # a member begins with its name
            name = msgspec.json.decode(document[at:end], type=str)
            at = _skip(document, _skip(document, end) + 1)
        end = _end_of_value(document, at)
        found.append(_Part(name=name, start=start, value=at, end=end))
        at = _skip(document, end)
        if document[at : at + 1] == b",":
            at = _skip(document, at + 1)
    return found


def _end_of_value(document: bytes, at: int) -> int:
    match document[at : at + 1]:
        case b'"':
            return _TEXT.match(document, at).end()  # type: ignore[union-attr]  # it is JSON
        case b"{" | b"[":
            depth = 0
            for token in _INNER.finditer(document, at):
                if token[0] in (b"{", b"["):
                    depth += 1
                elif token[0] in (b"}", b"]"):
                    depth -= 1
                    if depth == 0:
                        return token.end()
            raise ValueError("the value is not closed, and so no JSON")
        case _:
            return _PLAIN.match(document, at).end()  # type: ignore[union-attr]  # it is JSON


def _skip(document: bytes, at: int) -> int:
    return _SPACE.match(document, at).end()  # type: ignore[union-attr]  # it matches nothing, too
