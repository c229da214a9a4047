"""Fan-out: one request for each distinct row of a parent that landed since.

A child's cursor is the newest parent run it has read, and the 16-byte hashes of the
runs read within `LOOK_BACK` before it: runs of a parallel backfill, or one that was
rolled forward late, land with an older id than those that are there. A run is read
once; of a parent that is replaced, only the newest whole pull counts.

What stands in a parent's rows was written by others. It fills a value and never more: a
row that would ask for another path, or that HTTP has no room for, is not asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from urllib.parse import unquote

import msgspec
from pydantic import JsonValue

from lambdas.core.dataset import Endpoint, Parent
from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.redaction import BLANK, sounds_secret
from lambdas.core.landing.names import RUNS, run_key, run_started_at
from lambdas.core.pull.run import CursorPosition
from lambdas.core.pull.window import Window
from lambdas.core.records.documents import bad_response
from lambdas.core.records.json_path import find, kind_of, steps
from lambdas.core.source.request import Value, filled_path, placeholders_in
from lambdas.core.text.count import counted

LOOK_BACK = timedelta(days=10)
"""Longer than any run takes from its start until it has landed: its open uploads live
7 days, and S3 rounds up to the next midnight."""

DISTINCT_KEPT = 500_000
"""Tuples remembered within one pull, about 60 MB. After that many they are forgotten,
and one that comes again is asked for again: never is a row left out for it."""

_NULL = msgspec.Raw(b"null")
_SHOWN = 60
_SHOWN_FIELDS = 5
_DOTS = frozenset({"", ".", ".."})


class LandedFile(msgspec.Struct, frozen=True):
    """An object that a run file names."""

    key: str


class ParentRun(msgspec.Struct, frozen=True):
    """What a run file says, as far as a child needs it."""

    run_id: str
    write_disposition: str
    objects: tuple[LandedFile, ...]
    pull_id: str = ""
    segment: int = 1
    is_last: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A row among a parent's: its run, its object and its line, both from 0."""

    run: str
    object: int = 0
    row: int = 0

    def position(self, page: JsonValue = None) -> JsonValue:
        """The same as a position of the child's pages; `page` is its paginator's."""
        return {
            "run": self.run, "object": self.object, "row": self.row, "page": page,
        }  # fmt: skip

    @property
    def following(self) -> Place:
        """The next line."""
        return Place(run=self.run, object=self.object, row=self.row + 1)


def place_of(position: JsonValue) -> tuple[Place | None, JsonValue]:
    """The row and the page of a position; (None, None) for the beginning."""
    match position:
        case None:
            return None, None
        case {"run": str(run), "object": int(number), "row": int(row), "page": page}:
            return Place(run=run, object=number, row=row), page
    raise bad_response(f"not a position of a fan-out: {position!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentRow:
    """One row of a parent; if it `was_read` before, its like is not asked for."""

    place: Place
    record: bytes
    was_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRead:
    """All rows of a run have come."""

    run: str


class ParentReading(Protocol):
    """One reading of a parent's fresh rows."""

    def rows(self) -> Iterator[ParentRow | RunRead]:
        """The rows in order, and the ends of runs."""

    def reached(self, read: Sequence[str]) -> CursorPosition:
        """Where the child's cursor stands after these runs were read."""


class Parents(Protocol):
    """Where the rows of a parent come from."""

    def open(self, dataset: str, window: Window, *, whole: bool) -> ParentReading:
        """The rows of `dataset` fresh since the child's `window`; `whole`: all rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsToRead:
    """The runs of one pull, in order: those `read` before, and those `left`."""

    read: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def is_fresh(run: str, cursor: CursorPosition) -> bool:
    """Whether a run has not been read when a child's cursor stands at `cursor`."""
    if cursor.value is None:
        return True
    floor = run_started_at(str(cursor.value)) - LOOK_BACK
    return run_started_at(run) >= floor and digest(run) not in cursor.edge


def fresh_runs(
    listed: Iterable[str],
    *,
    since: CursorPosition,
    reached: CursorPosition,
    place: Place | None,
) -> RunsToRead:
    """Of the runs of a parent that is appended or merged, those to read. `since` is
    the child's cursor, `reached` what earlier segments of its pull have read beyond
    it, and `place` where they ended.
    """
    fresh = [run for run in listed if is_fresh(run, since)]
    begun = place.run if place is not None else None
    read = [run for run in fresh if run != begun and not is_fresh(run, reached)]
    left = [run for run in fresh if run != begun and is_fresh(run, reached)]
    return RunsToRead(
        read=tuple(read), left=(*([begun] if begun is not None else []), *left)
    )


def whole_pull(newest_first: Iterable[ParentRun]) -> tuple[str, ...]:
    """The runs of the newest pull of which every segment is there, in order; () if
    none is. `newest_first` is read only as far as needed.
    """
    segments: dict[str, dict[int, ParentRun]] = {}
    for run in newest_first:
        pull = segments.setdefault(run.pull_id or run.run_id, {})
        pull[run.segment] = run
        count = max(pull)
        if pull[count].is_last and len(pull) == count:
            return tuple(pull[number].run_id for number in sorted(pull))
    return ()


def replaced_runs(
    pull: Sequence[str],
    *,
    since: CursorPosition,
    place: Place | None,
    whole: bool,
) -> RunsToRead:
    """Of the runs of a whole `pull` of a parent that is replaced, those to read: all,
    if the child has not read it, or wants the `whole` of it each time.
    """
    if place is not None:
        return RunsToRead(
            read=tuple(run for run in pull if run < place.run),
            left=tuple(run for run in pull if run >= place.run),
        )
    if not pull or (
        not whole and since.value is not None and pull[-1] <= str(since.value)
    ):
        return RunsToRead()
    return RunsToRead(left=tuple(pull))


def cursor_after(
    before: CursorPosition, read: Sequence[str], listed: Sequence[str]
) -> CursorPosition:
    """The cursor after these runs were read. Of those that were read before, the ones
    that are still `listed` and young enough to matter stay in its edge.
    """
    if not read:
        return before
    newest = max([*read, *([str(before.value)] if before.value is not None else [])])
    floor = run_started_at(newest) - LOOK_BACK
    known = {digest(run) for run in read} | before.edge
    young = (digest(run) for run in listed if run_started_at(run) >= floor)
    return CursorPosition(value=newest, edge=frozenset(known.intersection(young)))


def digest(text: str) -> bytes:
    """16 bytes that stand for a run's id."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def listed_from(dataset: str, since: CursorPosition) -> tuple[str, str]:
    """The prefix of a parent's run files, and the key after which to list them."""
    prefix = f"{RUNS}{dataset}/"
    if since.value is None:
        return prefix, ""
    floor = run_started_at(str(since.value)) - LOOK_BACK
    start = f"{floor:%Y%m%dT%H%M%S}.{floor.microsecond // 1000:03d}Z"
    return prefix, f"{prefix}{start}"


def run_in(key: str, dataset: str) -> str | None:
    """The run whose file a key is; None for a key that is no run file."""
    run = key.removeprefix(f"{RUNS}{dataset}/").removesuffix(".json")
    try:
        run_started_at(run)
    except ValueError:
        return None
    return run if key == run_key(dataset, run) else None


class Fields:
    """What of a parent's row goes into the child's request."""

    def __init__(self, parent: Parent, endpoint: Endpoint) -> None:
        used = placeholders_in(endpoint)
        self._parent = parent.dataset
        self._path_of = {
            name: path
            for name, path in parent.fields.items()
            if f"parent.{name}" in used
        }
        self._found = _reader(tuple(self._path_of.values()))
        self._endpoint = endpoint
        self._in_path = placeholders_in(endpoint, "path")
        self._in_headers = placeholders_in(endpoint, "headers")

    def values(self, record: bytes) -> dict[str, Value] | str:
        """What the placeholders stand for, numbers as they are written; or a sentence
        that says why this row cannot be asked for.

        Raises Terminal if a path leads to an object or an array.
        """
        values: dict[str, Value] = {}
        try:
            found = self._found(record)
        except msgspec.DecodeError:
            return "it cannot be read"
        for (name, path), raw in zip(self._path_of.items(), found, strict=True):
            value = self._scalar(name, path, raw)
            if value is None:
                return f"`{path}` is null or missing"
            if f"parent.{name}" in self._in_headers and not _fits_header(value):
                return f"`{path}` holds a character that a header has no room for"
            values[f"parent.{name}"] = value
        if self._in_path and self._changes_path(values):
            return "its value would make another path"
        return values

    def _scalar(self, name: str, path: str, raw: msgspec.Raw) -> Value:
        match kind_of(raw):
            case "null":
                return None
            case "number":
                # its own bytes: no digit is lost
                return msgspec.Raw(bytes(raw))
            case "string" | "boolean":
                value: str | bool = msgspec.json.decode(raw, type=str | bool)
                return value
            case kind:
                raise Terminal(
                    f"source.parent.fields.{name}: `{path}` holds an {kind} in a row "
                    f"of {self._parent}; accepted: a path to a text, a number or a "
                    "boolean",
                    kind=RunErrorKind.SCHEMA,
                )

    def _changes_path(self, values: Mapping[str, Value]) -> bool:
        """Whether a part of the path that a value fills vanishes or climbs: what was
        asked for is then another resource, since dots are resolved on the way.
        """
        if all(str(value).strip(".") for value in values.values()):
            return False  # something is in it that stays
        template = self._endpoint.path.partition("?")[0].split("/")
        others = {name: "x" for name in self._in_path if name not in values}
        for part in template:
            filled = filled_path(part, {**others, **values})
            if filled != part and unquote(filled) in _DOTS:
                return True
        return False

    def named(self, values: Mapping[str, Value]) -> str:
        """`airlines (carrier=UA)`, for a message: short, on one line, no secret."""
        shown = [
            f"{name}={_shown(name, values[f'parent.{name}'])}"
            for name in list(self._path_of)[:_SHOWN_FIELDS]
        ]
        return f"{self._parent} ({', '.join(shown)})"

    def secrets(self, values: Mapping[str, Value]) -> frozenset[str]:
        """The values of fields that sound like secrets: a URL may hold them."""
        return frozenset(
            _as_text(values[f"parent.{name}"])
            for name in self._path_of
            if sounds_secret(name)
        )


def _reader(paths: tuple[str, ...]) -> Callable[[bytes], Sequence[msgspec.Raw]]:
    """A function from a record to the first value at each path, null if there is none.

    Paths of one name each become a type, so that a row is read in one pass that skips
    every other field.
    """
    names = [way[0] if len(way := steps(path)) == 1 else None for path in paths]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return lambda record: [
            found[0] if (found := find(record, path)) else _NULL for path in paths
        ]
    keys = [f"at{number}" for number in range(len(names))]
    row = msgspec.defstruct(
        "Row",
        [(key, msgspec.Raw, _NULL) for key in keys],
        rename=dict(zip(keys, map(str, names), strict=True)),
        gc=False,
    )
    decoder = msgspec.json.Decoder(row)
    return lambda record: msgspec.structs.astuple(decoder.decode(record))


def tuple_of(values: Mapping[str, Value]) -> bytes:
    """16 bytes for a row's values: equal for equal ones of the same kind."""
    whole = msgspec.json.encode(list(values.values()))
    return hashlib.blake2b(whole, digest_size=16).digest()


class Distinct:
    """Which tuples have come, as far as memory goes."""

    def __init__(self, kept: int = DISTINCT_KEPT) -> None:
        self.has_forgotten = False
        self._kept = kept
        self._seen: set[bytes] = set()

    def is_new(self, one: bytes) -> bool:
        """Whether it has not come before, or is no longer remembered."""
        if one in self._seen:
            return False
        if len(self._seen) >= self._kept:
            self._seen.clear()
            self.has_forgotten = True
        self._seen.add(one)
        return True


def skipped_sentence(child: str, parent: str, skipped: Mapping[str, int]) -> str:
    """What a log says of rows that were not asked for: why, and how many."""
    reasons = "; ".join(f"{count}: {why}" for why, count in sorted(skipped.items()))
    total = sum(skipped.values())
    return f"{child}: {counted(total, 'row')} of {parent} not asked for ({reasons})"


def _fits_header(value: Value) -> bool:
    return not isinstance(value, str) or all(
        " " <= letter <= "~" or "\xa0" <= letter <= "\xff" for letter in value
    )


def _as_text(value: Value) -> str:
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)


def _shown(name: str, value: Value) -> str:
    if sounds_secret(name):
        return BLANK
    text = _as_text(value)
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return text if text.isprintable() else ascii(text)
