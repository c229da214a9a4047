"""The records of a page: where they stand in the body, and each as its own bytes.

A record lands as the API wrote it, on one line: a line break between values becomes a
space (inside a JSON string there is none, RFC 8259), and every digit stays.

Without a `data_selector` the place is found, once, on the first page:

1. the body itself, if it is an array; the array in it, if only what surrounds the
   records stands beside it, as in `[{"page": 1, "pages": 9}, [{"id": 1}]]`;
2. an array of objects (or an empty one) in the body, the names of `COMMON` first, then
   the path's own last word, then the only one there is; names of `BESIDE` never;
3. the same one level further down;
4. an empty array beside nothing but counts and links;
5. the body itself as one record, if it is an object without such an array.

Rows that are arrays beside a list of `columns` (`{"columns": ["id"], "rows": [[1]]}`)
become objects by these names, each value still as the API wrote it.

Several candidates with none of these names are not guessed at: the error names them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import repeat

import msgspec

from lambdas.core.records.documents import (
    Document,
    bad_response,
    elements,
    excerpt,
    members,
    refuse_long,
    refuse_repeated_names_in_page,
)
from lambdas.core.records.envelope import Envelope
from lambdas.core.records.failure import refuse_failure
from lambdas.core.records.json_path import follow, kind_of, path_of, steps

COMMON = (
    "data", "results", "items", "records", "rows", "value", "entries", "content",
    "objects", "entities", "payload", "list", "docs", "documents", "hits", "elements",
    "result", "resources", "values", "features",
)  # fmt: skip
"""Names under which APIs put their records, most common first."""

_RANKS = {name: rank for rank, name in enumerate(COMMON)}
_LISTS = frozenset(COMMON) - {"value", "content", "payload", "result", "values"}
"""Of these, the names that hold more than one."""

BESIDE = frozenset({
    "errors", "error", "warnings", "messages", "link", "links", "_links", "meta",
    "metadata", "pagination", "paging", "included", "facets", "aggregations",
    "headers", "extras", "columns", "fields", "schema",
})  # fmt: skip
"""Names of arrays that stand beside the records."""

_ENVELOPE = re.compile(
    r"_?(total|count|num|page|per_?page|next|prev|previous|first|last|has_?|offset|"
    r"limit|skip|size|start|from|to$|more|cursor|after|before|ok$|success|status|code$|"
    r"message$|took|time|query|truncated|is_?last|@?odata|self$)",
    re.IGNORECASE,
)
"""How the names begin that say something of a page rather than of a record."""

_NULLS = re.compile(rb"\A\s*(?:null\s*,\s*)*")

MAX_NAMED_BYTES = 256 * 1024 * 1024
"""Of names that rows of a page are given: a page has to fit into memory."""

WHOLE = "$"
_SHORT = 3
_EMPTY_BYTES = 256
"""What holds nothing is shorter, its white space included."""
_COLUMNS = ("columns", "fields", "headers", "schema")
_ARTICLE = {"array": "an", "object": "an"}


def select_records(
    document: Document, data_selector: str | None = None, *, found: str | None = None
) -> list[bytes]:
    """The records of an answer in JSON. Without a `data_selector` they stand where they
    were `found` on the first page, or are looked for now.

    One that is no object is among them, unless none is. Raises Terminal(kind=response)
    if `data_selector` matches nothing (naming what is there), or what is found there
    are no records.
    """
    selector = data_selector or found or detect_selector(document)
    records = _select(document, selector, declared=data_selector is not None)
    size = len(document.body)
    refuse_long(records, size)
    refuse_repeated_names_in_page(records, size)
    return records


def parted(records: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The objects among `records`, and what is none."""
    if all(map(bytes.startswith, records, repeat(b"{"))):
        return records, []
    objects = [one for one in records if one.startswith(b"{")]
    return objects, [one for one in records if not one.startswith(b"{")]


def detect_selector(document: Document, *, hint: str = "") -> str:
    """Where the records stand, as a selector; `$` is the body itself.

    Raises Terminal if several arrays could be meant, or none can.
    """
    if document.kind == "array":
        return _beside_an_object(document) or WHOLE
    if document.kind != "object":
        raise bad_response(
            f"expected an array or an object of records, got {document.describe()}: "
            f"`{excerpt(document.body)}`"
        )
    kinds = {name: kind_of(value) for name, value in document.members.items()}
    found = _best(
        {
            (name,): value
            for name, value in document.members.items()
            if kinds[name] == "array"
        },
        hint,
    )
    if found is None:
        found = _best(
            {
                (outer, name): below
                for outer, value in document.members.items()
                if kinds[outer] == "object"
                for name, below in members(value).items()
                if kind_of(below) == "array"
            },
            hint,
        )
    if found is None:
        found = _empty_in_envelope(document, kinds)
    if found is not None:
        return path_of(found)
    refuse_failure(document, Envelope(document, WHOLE), rows=0, is_record=True)
    if not document.members:
        raise bad_response(
            "expected records, got an empty object; if an answer without records "
            "looks like this, ignore it with response_actions, or set data_selector: $"
        )
    return WHOLE


def _beside_an_object(document: Document) -> str | None:
    """Where the one array stands among the elements of a short one, beside objects."""
    listed = document.elements
    if not 1 < len(listed) <= _SHORT:
        return None
    kinds = [kind_of(one) for one in listed]
    is_one = kinds.count("array") == 1 and kinds.count("object") == len(kinds) - 1
    return path_of((kinds.index("array"),)) if is_one else None


def is_of_a_page(name: str) -> bool:
    """Whether a name says something of a page, or of what surrounds its records."""
    return name in BESIDE or _ENVELOPE.match(name) is not None


def _empty_in_envelope(
    document: Document, kinds: Mapping[str, str]
) -> tuple[str, ...] | None:
    """`flights` of `{"total": 0, "flights": []}`: no records today, and no record
    with an empty list in it, for beside it stand only counts and links.
    """
    empty: str | None = None
    for name, value in document.members.items():
        if name not in BESIDE and _is_nothing(name, kinds[name], value):
            empty = name if empty is None else empty
        elif not is_of_a_page(name):
            return None
    return None if empty is None else (empty,)


def _is_nothing(name: str, kind: str, value: msgspec.Raw) -> bool:
    """An empty list; where records are expected, what else some languages write for it:
    null (Go), `{}` (Lua, PHP).
    """
    if kind == "array":
        size = len(memoryview(value))
        return size == len(b"[]") or (size < _EMPTY_BYTES and not elements(value))
    if name not in _LISTS:
        return False
    return kind == "null" or (kind == "object" and not members(value))


def _best(
    candidates: Mapping[tuple[str, ...], msgspec.Raw], hint: str
) -> tuple[str, ...] | None:
    """The list that holds the records, or None."""
    arrays = {
        path: value
        for path, value in candidates.items()
        if path[-1] not in BESIDE or path[-1] == hint.lower()
    }
    ranks = {hint: len(COMMON), **_RANKS} if hint else _RANKS
    named = [
        path
        for path, value in arrays.items()
        if path[-1] in ranks and _holds(value, b"{[]")
    ]
    if named:
        return min(named, key=lambda path: ranks[path[-1]])
    others = [path for path, value in arrays.items() if _holds(value, b"{")]
    if len(others) > 1:
        raise bad_response(
            "several arrays of objects could be the records: "
            f"{', '.join(f'`{path_of(path)}`' for path in others)}; name one as "
            "data_selector"
        )
    return others[0] if others else None


def _holds(array: msgspec.Raw, first_bytes: bytes) -> bool:
    """Whether the array's first element that is not null (or its end) begins with one
    of these.
    """
    view = memoryview(array)
    if view[1] not in b"n \t\r\n":
        return view[1] in first_bytes
    return _NULLS.sub(b"", bytes(view[1:256]), 1)[:1] in first_bytes


def _matches(
    document: Document, selector: str, *, declared: bool
) -> Sequence[msgspec.Raw]:
    """What stands where the records do, a list taken apart."""
    if selector == WHOLE and document.kind == "array":
        return document.elements
    found = document.find(selector)
    if not found and not _is_empty_wildcard(document, selector):
        refuse_failure(document, Envelope(document, selector), rows=0)
        raise bad_response(
            f"the data_selector `{selector}` matches nothing: the answer is "
            f"{document.describe()}"
            if declared
            else f"the records stood in `{selector}` on the first page, and are "
            f"not there now: the answer is {document.describe()}"
        )
    matches: list[msgspec.Raw] = []
    for value in found:
        match kind_of(value):
            case "array":
                matches.extend(elements(value))
            case "null":
                pass  # how Go writes an empty list
            case "object" if len(found) == 1 and _is_no_record(value, selector):
                raise bad_response(
                    f"`{selector}` should hold records, and is an empty object; if an "
                    "answer without records looks like this, ignore it with "
                    "response_actions"
                )
            case _:
                matches.append(value)
    return matches


def _is_no_record(value: msgspec.Raw, selector: str) -> bool:
    is_short = len(memoryview(value)) < _EMPTY_BYTES
    return selector != WHOLE and is_short and not members(value)


def _select(document: Document, selector: str, *, declared: bool) -> list[bytes]:
    matches = _matches(document, selector, declared=declared)
    if not matches:
        refuse_failure(document, Envelope(document, selector), rows=0)
    records = list(map(bytes, matches))
    if records and records[0].startswith(b"["):
        records = _by_columns(document, selector, matches) or records
    has_objects = any(map(bytes.startswith, records, repeat(b"{")))
    if records and (not has_objects or records[0].startswith(b"[")):
        odd = records[0]
        raise bad_response(
            f"`{selector}` should hold objects, one a record; it holds "
            f"{_ARTICLE.get(kind_of(odd), 'a')} {kind_of(odd)}: `{excerpt(odd)}`"
            + (
                " (ask the API for rows as objects, as Datasette's _shape=objects does)"
                if kind_of(odd) == "array"
                else ""
            )
        )
    for line_break in (b"\r\n", b"\n", b"\r"):
        if line_break in document.body:
            records = [one.replace(line_break, b" ") for one in records]
    return records


def _by_columns(
    document: Document, selector: str, matches: Sequence[msgspec.Raw]
) -> list[bytes]:
    """Rows that are arrays as objects, by the names in a list beside them; [] if there
    is no such list, or a row is of another length.
    """
    way = steps(selector)
    if not way or document.kind != "object":
        return []
    beside = follow([msgspec.Raw(document.body)], way[:-1])
    if len(beside) != 1 or kind_of(beside[0]) != "object":
        return []
    around = members(beside[0])
    names = next(
        (found for name in _COLUMNS if (found := _names(around.get(name)))), []
    )
    keys = [msgspec.json.encode(name) + b":" for name in names]
    if not keys or len(set(names)) != len(names):
        return []
    if len(matches) * sum(map(len, keys)) > MAX_NAMED_BYTES:
        raise bad_response(
            f"{len(matches)} rows by {len(keys)} long names are more than "
            f"{MAX_NAMED_BYTES} bytes; ask for smaller pages"
        )
    records: list[bytes] = []
    for match in matches:
        values = elements(match) if kind_of(match) == "array" else []
        if len(values) != len(keys):
            return []
        pairs = map(bytes.__add__, keys, map(bytes, values))
        records.append(b"{" + b",".join(pairs) + b"}")
    return records


def _names(raw: msgspec.Raw | None) -> list[str]:
    """`["id"]` or `[{"name": "id"}]` as names; [] for anything else."""
    listed: object = None if raw is None else msgspec.json.decode(raw)
    if not isinstance(listed, list):
        return []
    names = [one.get("name") if isinstance(one, dict) else one for one in listed]
    texts = [name for name in names if isinstance(name, str)]
    return texts if len(texts) == len(names) else []


def _is_empty_wildcard(document: Document, selector: str) -> bool:
    """Whether `items[*].record` found nothing because `items` is there and empty."""
    head, star, _ = selector.partition("*")
    prefix = head.rstrip("[.")
    return bool(star) and bool(document.find(prefix or WHOLE))
