"""What a sample of records tells: columns and their types, the key, the cursor.

All of it is guessed, from names as they are used everywhere and from values that must
bear the guess out in every record of the sample.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from lambdas.core.cursor.order import CursorOrder
from lambdas.core.records.json_path import path_of
from lambdas.core.sql.views import METADATA

WRAPPERS = frozenset({"attributes", "fields", "properties"})
"""Members that hold a record's fields: JSON:API, Airtable, GeoJSON."""

_TAKEN = frozenset({*METADATA, "PAYLOAD"})
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_MOST_DIGITS = 38
_FEW_ROWS = 3

_KEYS = ("id", "_id", "uuid", "guid", "uid", "pk", "key", "rowid", "oid", "gid")
_CODES = frozenset({
    "code", "slug", "sku", "number", "reference", "symbol", "isbn", "handle", "login",
    "username", "email", "faa", "iata", "icao", "iso", "tailnum",
})  # fmt: skip
_UPDATED = re.compile(r"updat|modif|chang|edited|mtime|revis|modstamp|lastseen|touched")
_CREATED = re.compile(
    r"creat|insert|added|publish|posted|record|ctime|submit|receiv|occur|ingest|logged"
)
_ANY_TIME = re.compile(r"time|date|hour|day$|when|ts$|at$|on$")
_OTHER_TIME = re.compile(
    r"birth|dob|due|expir|^end|ended|until|deadline|sched|delet|clos|start|valid|arriv"
    r"|depart|next|renew|cancel|plan|estimat|trial|zone$"
)
_EPOCHS = ((10**9, 4 * 10**9), (10**12, 4 * 10**12))
_RECENT = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field over all records; None where it is null or missing."""

    names: tuple[str, ...]
    values: tuple[object, ...]

    @property
    def path(self) -> str:
        """Where it stands in a record."""
        return path_of(self.names)

    @property
    def is_full(self) -> bool:
        """Whether every record has a value."""
        return all(value is not None for value in self.values)

    @property
    def type(self) -> str | None:
        """The column type that every value fits; None if there is no value."""
        kinds = {_kind(value) for value in self.values} - {"null"}
        if not kinds:
            return None
        if "variant" in kinds:
            return "variant"
        if kinds <= {"integer", "number"}:
            return "number" if "number" in kinds else "integer"
        return kinds.pop() if len(kinds) == 1 else "string"

    @property
    def plain_name(self) -> str:
        """Its last name in lower case, without what parts words."""
        return re.sub(r"[^a-z0-9]", "", self.names[-1].lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorField:
    """A field that tells which records are new."""

    field: Field
    is_update: bool
    is_naive: bool
    order: str | None
    """How the sample was sorted by it: asc, desc, or None."""
    newest: datetime | None
    gap: timedelta | None
    """The median distance of distinct times in the sample."""


def fields_of(records: Sequence[bytes], *, textual: bool = False) -> list[Field]:
    """The fields in the order in which they first appear; those of a wrapper one by
    one. In a `textual` format (CSV) a text that reads like a number is one.
    """
    documents: list[dict[str, object]] = [json.loads(one) for one in records]
    if textual:
        documents = [{k: _read(v) for k, v in one.items()} for one in documents]
    names: dict[tuple[str, ...], None] = {}
    for one in documents:
        for name, value in one.items():
            if name in WRAPPERS and isinstance(value, dict):
                names.update(dict.fromkeys((name, inner) for inner in value))
            else:
                names[(name,)] = None
    return [
        Field(names=way, values=tuple(_at(one, way) for one in documents))
        for way in names
        if all(way)
    ]


def _at(document: object, way: tuple[str, ...]) -> object:
    for name in way:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _read(value: object) -> object:
    """A CSV's text as what it says."""
    if not isinstance(value, str):
        return value
    if value == "":
        return None
    if value in {"true", "false"}:
        return value == "true"
    if _INTEGER.fullmatch(value):
        return int(value)
    return float(value) if _NUMBER.fullmatch(value) else value


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer" if len(str(abs(value))) <= _MOST_DIGITS else "string"
        case float():
            return "number"
        case str():
            return _kind_of_text(value)
    return "variant"


def _kind_of_text(text: str) -> str:
    try:
        CursorOrder(timezone="UTC").key(text)
    except ValueError:
        return "string"
    try:
        kind = CursorOrder().key(text)[0]
    except ValueError:
        return "timestamp_ntz"
    return {"time": "timestamp", "date": "date"}.get(kind, "string")


def columns_of(fields: Sequence[Field]) -> dict[str, Field]:
    """Column names, each of which may stand in the typed relation, and their fields."""
    found: dict[str, Field] = {}
    taken = set(_TAKEN)
    for field in fields:
        name = field.names[-1]
        if not _PLAIN.fullmatch(name):
            name = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "field"
            name = name if _PLAIN.fullmatch(name) else f"_{name}"[:255]
        base, number = name, 2
        while name.upper() in taken:
            name = f"{'_'.join(field.names[:-1]) or 'record'}_{base}"
            name = re.sub(r"[^A-Za-z0-9_]+", "_", name)
            if name.upper() in taken:
                name, number = f"{base}_{number}", number + 1
        taken.add(name.upper())
        found[name] = field
    return found


def primary_key(
    fields: Sequence[Field], *, hint: Sequence[str] = (), noun: str = ""
) -> tuple[Field, ...]:
    """What identifies a record; () if nothing does beyond doubt.

    `hint` are names the answer itself gives; `noun` is what the records are called.
    """
    by_name = {field.names[-1]: field for field in reversed(fields)}
    hinted = tuple(by_name[name] for name in hint if name in by_name)
    if hinted and len(hinted) == len(hint) and _is_unique(hinted):
        return hinted
    ranked = [
        (rank, one) for one in fields if (rank := _key_rank(one, noun)) is not None
    ]
    for _, field in sorted(ranked, key=lambda pair: pair[0]):
        if _is_unique((field,)):
            return (field,)
    return ()


def possible_keys(fields: Sequence[Field]) -> list[str]:
    """Paths, comma-joined, that are unique in the sample, whatever their names."""
    able = [one for one in fields if one.is_full and one.type not in {None, "variant"}]
    single = [(one,) for one in able if one.type in {"string", "integer"}]
    likely = [
        one
        for one in able
        if _key_rank(one, "") is not None or _time_rank(one) is not None
    ]
    pairs = [(a, b) for at, a in enumerate(likely) for b in likely[at + 1 :]]
    unique = [one for one in (*single, *pairs) if _is_unique(one)]
    return [", ".join(field.path for field in one) for one in unique[:3]]


def _key_rank(field: Field, noun: str) -> int | None:
    name, plain = field.names[-1].lower(), field.plain_name
    own = {noun, noun.removesuffix("s"), re.sub("ies$", "y", noun)} - {""}
    is_id = re.search(r"(_id|_uuid|_guid|Id|ID|Uuid|_key|_no)$", field.names[-1])
    if name in _KEYS:
        return _KEYS.index(name)
    if any(plain in {f"{one}{key}" for key in _KEYS} for one in own):
        return len(_KEYS)
    if is_id:
        return len(_KEYS) + 1
    return len(_KEYS) + 2 if plain in _CODES else None


def _is_unique(fields: Sequence[Field]) -> bool:
    if not all((one.is_full and one.type in {"string", "integer"}) or
               (one.is_full and len(fields) > 1 and one.type != "variant")
               for one in fields):  # fmt: skip
        return False
    rows = list(zip(*(one.values for one in fields), strict=True))
    return bool(rows) and len(set(rows)) == len(rows)


def cursor_of(
    fields: Sequence[Field], *, has_key: bool, now: datetime
) -> CursorField | None:
    """The field that says when a record was last changed, else made, else any time;
    None if no record of the sample bears one out.

    One with gaps is used for changes alone, and with a key alone: the records without
    it come again with every pull.
    """
    ranked = []
    for at, field in enumerate(fields):
        rank = _time_rank(field)
        if rank is None or (not field.is_full and not (rank == 0 and has_key)):
            continue
        ranked.append(((rank, field.type == "date", not field.is_full, at), field))
    if not ranked:
        return None
    (rank, *_), field = min(ranked, key=lambda pair: pair[0])
    times = [one for value in field.values if (one := _instant(value)) is not None]
    distinct = sorted(set(times))
    gaps = sorted(b - a for a, b in pairwise(distinct))
    return CursorField(
        field=field,
        is_update=rank == 0,
        is_naive=field.type == "timestamp_ntz",
        order=_order(times),
        newest=min(distinct[-1], now) if distinct else None,
        gap=gaps[len(gaps) // 2] if gaps else None,
    )


def _time_rank(field: Field) -> int | None:
    """0 for changes, 1 for creations, 2 for other times; None for what is no time, or
    one that says nothing of when the record came.
    """
    plain = field.plain_name
    if field.type in {"integer", "number"}:
        values = [v for v in field.values if isinstance(v, int | float)]
        if not any(all(a <= v <= b for v in values) for a, b in _EPOCHS):
            return None
    elif field.type not in {"timestamp", "timestamp_ntz", "date"}:
        return None
    if _UPDATED.search(plain):
        return 0
    if _CREATED.search(plain):
        return 1
    if _OTHER_TIME.search(plain) or not _ANY_TIME.search(plain):
        return None
    return 2


def _instant(value: object) -> datetime | None:
    if isinstance(value, int | float):
        seconds = value / 1000 if value >= _EPOCHS[1][0] else value
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, str):
        return None
    try:
        return CursorOrder(timezone="UTC").instant(value)
    except ValueError:
        return None


def _order(times: Sequence[datetime]) -> str | None:
    if len(set(times)) < _FEW_ROWS:
        return None
    if all(a <= b for a, b in pairwise(times)):
        return "asc"
    return "desc" if all(a >= b for a, b in pairwise(times)) else None


def ages(cursor: CursorField) -> tuple[tuple[int, str], tuple[int, str]]:
    """When to warn and when to call it an error, by how densely the times stand."""
    gap = cursor.gap or timedelta(days=1)
    if gap <= timedelta(hours=1) and cursor.field.type != "date":
        return (3, "hour"), (6, "hour")
    days = max(1, -(-gap // timedelta(days=1)))
    return (days + 1, "day"), (2 * days + 1, "day")


def is_recent(cursor: CursorField, now: datetime) -> bool:
    """Whether the sample reaches into the last month, and so says how fresh it is."""
    return cursor.newest is not None and now - cursor.newest <= _RECENT
