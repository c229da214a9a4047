"""Paths into JSON documents, evaluated on the document's own bytes.

Dotted (`data.items`) or JSONPath (`$.data.items[0]['odd key'][*]`): names, quoted
names, indexes and wildcards. Paths into an answer may also choose from a list by
equality (`link[?relation=='next'].url`); those into a record may not, since SQL reads
them too. Recursive descent and other filters are refused.

A general JSONPath library works on parsed values, and parsing loses digits:
12345678901234567890123 becomes a float. Here each step decodes one level and leaves
what is below as bytes, so that a record lands as the API wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec
from pydantic import AfterValidator

Step: TypeAlias = str | int | None
"""A name, an index (negative from the end), or None for every element."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The elements of a list whose member `name` is the text `value`."""

    name: str
    value: str


AnswerStep: TypeAlias = Step | Chosen

_STEP = re.compile(
    r"""\.?(?P<name>[^.\[\]'"*()?\s$][^.\[\]'"*()?]*)
      | \['(?P<single>(?:[^'\\]|\\.)*)'\]
      | \["(?P<double>(?:[^"\\]|\\.)*)"\]
      | \[(?P<index>-?\d+)\]
      | (?P<every>\[\*\]|\.?\*)""",
    re.VERBOSE,
)
_CHOICE = re.compile(
    r"""\[\?\(?\s*(?:@\.?)?(?P<name>[^\s=\[\]'"()]+)\s*={1,2}\s*
        (?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*\)?\]""",
    re.VERBOSE,
)
_ACCEPTED = (
    "names and indexes joined by dots, such as `data.items`, `rows[0].time`, "
    "`$['@odata.nextLink']` or `items[*].record`"
)

_KINDS = {
    ord("{"): "object", ord("["): "array", ord('"'): "string", ord("t"): "boolean",
    ord("f"): "boolean", ord("n"): "null",
}  # fmt: skip
_SPACE = ord(" ")

Raw = msgspec.Raw
_as_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_as_array = msgspec.json.Decoder(list[msgspec.Raw])


@lru_cache(maxsize=1024)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of `path`; `$` alone is the whole document and has none.

    Raises ValueError saying what is accepted.
    """
    found = answer_steps(path)
    plain = tuple(step for step in found if not isinstance(step, Chosen))
    if len(plain) < len(found):
        raise ValueError(f"chooses from a list, which it cannot; accepted: {_ACCEPTED}")
    return plain


@lru_cache(maxsize=1024)
def answer_steps(path: str) -> tuple[AnswerStep, ...]:
    """As `steps`, with choices."""
    rest = path.strip().removeprefix("$")
    found: list[AnswerStep] = []
    while rest:
        choice = _CHOICE.match(rest)
        match = choice or _STEP.match(rest)
        if match is None:
            message = f"cannot be read as a path at `{rest}`; accepted: {_ACCEPTED}"
            raise ValueError(message)
        found.append(_chosen(choice) if choice else _step(match))
        rest = rest[match.end() :]
    if not found and path.strip() != "$":
        message = f"is empty; accepted: {_ACCEPTED}"
        raise ValueError(message)
    return tuple(found)


def _step(match: re.Match[str]) -> Step:
    if match["every"]:
        return None
    if match["index"]:
        return int(match["index"])
    if match["name"] is not None:
        return match["name"]
    quoted = match["single"] if match["single"] is not None else match["double"]
    return re.sub(r"\\(.)", r"\1", quoted)


def _chosen(match: re.Match[str]) -> Chosen:
    return Chosen(name=match["name"], value=match["single"] or match["double"] or "")


def _is_path(path: str) -> str:
    steps(path)
    return path


def _is_answer_path(path: str) -> str:
    answer_steps(path)
    return path


JsonPath = Annotated[str, AfterValidator(_is_path)]
"""A path as YAML writes it, validated."""

AnswerPath = Annotated[str, AfterValidator(_is_answer_path)]
"""The same into an answer: it may choose from a list."""


def path_of(way: Sequence[AnswerStep]) -> str:
    """Steps, outermost first, as a path that reads back as them."""
    path = ""
    for step in way:
        if isinstance(step, Chosen):
            path = f"{path or '$'}[?{step.name}=='{step.value}']"
        elif not isinstance(step, str):
            path = f"{path or '$'}[{'*' if step is None else step}]"
        elif _is_plain(step):
            path += f".{step}" if path else step
        else:
            escaped = step.replace("\\", "\\\\").replace("'", "\\'")
            path = f"{path or '$'}['{escaped}']"
    return path


def _is_plain(name: str) -> bool:
    try:
        return steps(name) == (name,)
    except ValueError:
        return False


def kind_of(raw: bytes | memoryview | msgspec.Raw) -> str:
    """What a JSON value is: object, array, string, number, boolean or null."""
    view = memoryview(raw)
    first = view[0] if view else 0
    if first <= _SPACE:
        first = next(iter(bytes(raw).lstrip()), 0)
    return _KINDS.get(first, "number")


def find(document: bytes | msgspec.Raw, path: str) -> list[msgspec.Raw]:
    """Every value at `path`, in document order, as its own bytes; [] if none.

    Raises msgspec.DecodeError if the document is not JSON.
    """
    whole = document if isinstance(document, msgspec.Raw) else msgspec.Raw(document)
    return follow([whole], answer_steps(path))


def follow(
    values: list[msgspec.Raw], path: tuple[AnswerStep, ...]
) -> list[msgspec.Raw]:
    """Every value reached from `values` by these steps, in order."""
    for step in path:
        below: list[msgspec.Raw] = []
        for value in values:
            kind = kind_of(value)
            if kind == "object" and (step is None or isinstance(step, str)):
                members = _as_object.decode(value)
                if step is None:
                    below.extend(members.values())
                elif step in members:
                    below.append(members[step])
            elif kind == "array" and not isinstance(step, str):
                below.extend(_of_list(_as_array.decode(value), step))
        values = below
    return values


def _of_list(
    elements: list[msgspec.Raw], step: int | Chosen | None
) -> list[msgspec.Raw]:
    if step is None:
        return elements
    if isinstance(step, Chosen):
        return [one for one in elements if _is_chosen(one, step)]
    return [elements[step]] if -len(elements) <= step < len(elements) else []


def _is_chosen(element: msgspec.Raw, step: Chosen) -> bool:
    if kind_of(element) != "object":
        return False
    found = _as_object.decode(element).get(step.name)
    return found is not None and msgspec.json.decode(found) == step.value


def find_value(document: bytes | msgspec.Raw, path: str) -> object:
    """The first value at `path` as a Python value, or None if there is none."""
    found = find(document, path)
    return msgspec.json.decode(found[0]) if found else None
