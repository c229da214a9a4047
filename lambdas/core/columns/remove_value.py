"""Takes a value out of a record and leaves every other byte as it is.

A record that is decoded and encoded again loses digits of numbers, the way its text was
escaped, and its order. So the members are found in the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from lambdas.core.records.json_path import Step

_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_PLAIN = rb"""[^\s,:\]}{\["]+"""
_INNER = re.compile(_TEXT + rb"|[{}\[\]]", re.DOTALL)
_MEMBER = re.compile(rb"[\s,]*(%b)\s*:\s*(%b|%b)?" % (_TEXT, _TEXT, _PLAIN), re.DOTALL)
_ELEMENT = re.compile(rb"[\s,]*()(%b|%b)?" % (_TEXT, _PLAIN), re.DOTALL)
"""What parts one from the one before, its name, and its value if that is plain."""
_SPACE = re.compile(rb"\s*")
_NAME = msgspec.json.Decoder(str)


class _Part(msgspec.Struct, frozen=True, gc=False):
    """A member of an object or an element of an array, as places in the bytes.

    `start` is where its name begins, or its value if it has none.
    """

    name: str | None
    start: int
    value: int
    end: int


def without(record: bytes, paths: Iterable[Sequence[Step]]) -> bytes:
    """`record` without what stands at `paths`: a member goes, an element becomes null,
    so that those after it stay where they are. A wildcard is the first element.

    What is not there changes nothing. `record` must be JSON. Its bytes are walked once,
    however many paths there are.
    """
    ends: set[Step] = set()
    ways: dict[Step, list[Sequence[Step]]] = {}
    for path in paths:
        step: Step = 0 if path[0] is None else path[0]
        if len(path) == 1:
            ends.add(step)
        else:
            ways.setdefault(step, []).append(path[1:])
    opening = record[_skip(record, 0) :][:1]
    if opening not in (b"{", b"["):
        return record
    parts = _parts(record)
    if opening == b"{":
        gone = {number for number, part in enumerate(parts) if part.name in ends}
        below = {
            number: ways[part.name]
            for number, part in enumerate(parts)
            if part.name in ways
        }
    else:
        gone = {at for step in ends if (at := _place(step, parts)) is not None}
        below = {}
        for step, rests in ways.items():
            at = _place(step, parts)
            if at is not None:
                below.setdefault(at, []).extend(rests)
    return _rewritten(record, parts, gone=gone, below=below)


def _place(step: Step, parts: Sequence[_Part]) -> int | None:
    """Which element of a list a step leads to."""
    if not isinstance(step, int) or not -len(parts) <= step < len(parts):
        return None
    return step % len(parts)


def _rewritten(
    document: bytes,
    parts: Sequence[_Part],
    *,
    gone: Collection[int],
    below: Mapping[int, Sequence[Sequence[Step]]],
) -> bytes:
    """The document without what goes; what parts the members that stay is kept."""
    if not gone and not below:
        return document
    written = [document[: parts[0].start]]
    is_first = True
    for number, part in enumerate(parts):
        is_gone = number in gone
        if is_gone and part.name is not None:
            continue
        if not is_first:
            written.append(document[parts[number - 1].end : part.start])
        is_first = False
        value = document[part.value : part.end]
        if number in below and not is_gone:
            value = without(value, below[number])
        written += [document[part.start : part.value], b"null" if is_gone else value]
    return b"".join([*written, document[parts[-1].end :]])


def _parts(document: bytes) -> list[_Part]:
    """What is one level below an object or an array, in order."""
    at = _skip(document, 0)
    is_object = document[at : at + 1] == b"{"
    next_one = (_MEMBER if is_object else _ELEMENT).match
    at += 1
    found: list[_Part] = []
    while (match := next_one(document, at)) is not None:
        value, at = match.span(2)
        if value < 0:
            value = match.end()
            if document[value : value + 1] == b"]":
                break
            at = _end_of_value(document, value)
        name = _NAME.decode(match[1]) if is_object else None
        found.append(_Part(name, match.start(1) if is_object else value, value, at))
    return found


def _end_of_value(document: bytes, at: int) -> int:
    """Where an object or an array ends that begins here."""
    depth = 0
    for token in _INNER.finditer(document, at):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return token.end()
    raise ValueError("the value is not closed, so it is not JSON")


def _skip(document: bytes, at: int) -> int:
    return _SPACE.match(document, at).end()  # type: ignore[union-attr]  # it matches nothing, too
