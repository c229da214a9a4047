"""Paths into JSON documents, evaluated on the document's own bytes.

Dotted (`data.items`) or JSONPath (`$.data.items[0]['odd key'][*]`): names, quoted
names, indexes and wildcards. Recursive descent and filters are refused by name.

A general JSONPath library works on parsed values, and parsing loses digits:
12345678901234567890123 becomes a float. Here each step decodes one level and leaves
what is below as bytes, so that a record lands as the API wrote it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec
from pydantic import AfterValidator

Step: TypeAlias = str | int | None
"""A name, an index (negative from the end), or None for every element."""

_STEP = re.compile(
    r"""\.?(?P<name>[^.\[\]'"*()?\s$][^.\[\]'"*()?]*)
      | \['(?P<single>(?:[^'\\]|\\.)*)'\]
      | \["(?P<double>(?:[^"\\]|\\.)*)"\]
      | \[(?P<index>-?\d+)\]
      | (?P<every>\[\*\]|\.?\*)""",
    re.VERBOSE,
)
_ACCEPTED = (
    "names and indexes joined by dots, such as `data.items`, `rows[0].time`, "
    "`$['@odata.nextLink']` or `items[*].record`"
)

Raw = msgspec.Raw
_as_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_as_array = msgspec.json.Decoder(list[msgspec.Raw])


@lru_cache(maxsize=1024)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of `path`; `$` alone is the whole document and has none.

    Raises ValueError saying what is accepted.
    """
    rest = path.strip().removeprefix("$")
    found: list[Step] = []
    while rest:
        match = _STEP.match(rest)
        if match is None:
            message = f"cannot be read as a path at `{rest}`; accepted: {_ACCEPTED}"
            raise ValueError(message)
        if match["every"]:
            found.append(None)
        elif match["index"]:
            found.append(int(match["index"]))
        elif match["name"] is not None:
            found.append(match["name"])
        else:
            quoted = match["single"] if match["single"] is not None else match["double"]
            found.append(re.sub(r"\\(.)", r"\1", quoted))
        rest = rest[match.end() :]
    if not found and path.strip() != "$":
        message = f"is empty; accepted: {_ACCEPTED}"
        raise ValueError(message)
    return tuple(found)


def _is_path(path: str) -> str:
    steps(path)
    return path


JsonPath = Annotated[str, AfterValidator(_is_path)]
"""A path as YAML writes it, validated."""


def kind_of(raw: bytes | memoryview | msgspec.Raw) -> str:
    """What a JSON value is: object, array, string, number, boolean or null."""
    first = bytes(memoryview(raw)[:1])
    if first.isspace():
        first = bytes(raw).lstrip()[:1]
    return {
        b"{": "object", b"[": "array", b'"': "string", b"t": "boolean",
        b"f": "boolean", b"n": "null",
    }.get(first, "number")  # fmt: skip


def find(document: bytes | msgspec.Raw, path: str) -> list[msgspec.Raw]:
    """Every value at `path`, in document order, as its own bytes; [] if none.

    Raises msgspec.DecodeError if the document is not JSON.
    """
    whole = document if isinstance(document, msgspec.Raw) else msgspec.Raw(document)
    return follow([whole], steps(path))


def follow(values: list[msgspec.Raw], path: tuple[Step, ...]) -> list[msgspec.Raw]:
    """Every value reached from `values` by these steps, in order."""
    for step in path:
        below: list[msgspec.Raw] = []
        for value in values:
            kind = kind_of(value)
            if kind == "object" and not isinstance(step, int):
                members = _as_object.decode(value)
                if step is None:
                    below.extend(members.values())
                elif step in members:
                    below.append(members[step])
            elif kind == "array" and not isinstance(step, str):
                elements = _as_array.decode(value)
                if step is None:
                    below.extend(elements)
                elif -len(elements) <= step < len(elements):
                    below.append(elements[step])
        values = below
    return values


def find_value(document: bytes | msgspec.Raw, path: str) -> object:
    """The first value at `path` as a Python value, or None if there is none."""
    found = find(document, path)
    return msgspec.json.decode(found[0]) if found else None
