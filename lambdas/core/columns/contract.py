"""What becomes of records that do not look as declared (dlt's four words).

==============  ===============================================================
`evolve`        the record lands as it is
`freeze`        the run fails, nothing of it lands
`discard_row`   the record is quarantined and does not land
`discard_value` the record lands without the value, and is quarantined as it came
==============  ===============================================================

Every record is looked at only where a contract asks for it; else see `Observer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from lambdas.core.columns.declared import declared_columns, known_names, pointed_names
from lambdas.core.columns.fast_path import FastPath, TypedWay
from lambdas.core.columns.observed import (
    MAX_NAME,
    Drift,
    Observed,
    ObservedType,
    type_of,
)
from lambdas.core.columns.observer import Observer
from lambdas.core.columns.remove_value import without
from lambdas.core.columns.types import Fits, fits, of_observed
from lambdas.core.dataset import Dataset
from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.landing.quarantine import Quarantined, Refusal, quarantined_to_line
from lambdas.core.records.json_path import Step, follow, kind_of
from lambdas.core.records.primary_key import Keyed, KeyedRecords

AT_ONCE = 500
"""Records taken apart at a time: of a piece of an export there may be 40,000."""
SHOWN = 60
NAMED = 10
_ARTICLE = {"array": "an ", "null": ""}
_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """A column whose values have to be of a type."""

    name: str
    top: str
    below: tuple[Step, ...]
    type: str
    takes: Fits
    is_personal: bool


class _Fault(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One value that does not look as declared; of a record there may be thousands."""

    refusal: Refusal
    mode: str
    column: str
    way: tuple[Step, ...]
    expected: str | None
    value: bytes
    is_personal: bool

    @property
    def sentence(self) -> str:
        """What is the matter, without the value: the record stands beside it."""
        if self.expected is None:
            return f"nobody declared `{short(self.column)}`"
        return (
            f"`{short(self.column)}` is {self.expected}, which its "
            f"{kind_of(self.value)} cannot be read as"
        )


class Inspector:
    """Judges the records of one run, in order.

    What is refused waits in `refused` as lines for the quarantine, until it is taken.
    """

    def __init__(self, *, dataset: Dataset, before: Observed, run_id: str) -> None:
        contract = dataset.contract
        # The first run of a dataset that declares nothing says what the columns are.
        self._establishes = dataset.columns is None and not before.columns
        self._columns_mode = "evolve" if self._establishes else contract.columns
        self._type_mode = "evolve" if self._establishes else contract.data_type
        self._sees_each = (contract.columns, contract.data_type) != ("evolve", "evolve")
        self._dataset = dataset
        self._run_id = run_id
        self._observer = Observer(dataset=dataset, before=before)
        self._needed = pointed_names(dataset)
        self._known = known_names(dataset) | (
            before.columns.keys() if dataset.columns is None else set()
        )
        self._typed = (
            () if self._type_mode == "evolve" else _typed_columns(dataset, before)
        )
        self._expected = self._expectation() if self._sees_each else None
        self._refused: list[bytes] = []
        cursor = dataset.source.cursor
        self._keyed = KeyedRecords(
            dataset.primary_key, None if cursor is None else cursor.cursor_path
        )

    def _expectation(self) -> FastPath:
        """What nearly all records look like."""
        if self._establishes:
            kinds = self._observer.types
            typed = _of_observed(kinds)
            return FastPath(names=kinds, only=True, typed=_as_tuples(typed))
        return FastPath(
            names=self._known,
            only=self._columns_mode != "evolve",
            typed=_as_tuples(self._typed),
        )

    def keyed(self, records: Sequence[bytes], *, page: int) -> Keyed:
        """Which of a page lack their primary key. Raises Terminal(kind=schema) if none
        of a page has it.
        """
        return self._keyed.of(records, page=page)

    def refuse_odd(self, odd: Sequence[bytes]) -> None:
        """Have what stands among the records and is none wait in `refused`."""
        for value in odd:
            self._refused.append(
                self._refusal_of(value, Refusal.RECORD, _no_object(value))
            )

    def identified(self, records: Sequence[bytes], keyed: Keyed) -> Sequence[bytes]:
        """Those that have their primary key; the others wait in `refused`."""
        if not keyed.lacking:
            return records
        for record in records:
            path = keyed.lacking.get(record)
            if path is not None:
                reason = f"its primary key `{short(path)}` is missing, null or empty"
                self._refused.append(
                    self._refusal_of(record, Refusal.PRIMARY_KEY, reason)
                )
        return [record for record in records if record not in keyed.lacking]

    def _refusal_of(self, record: bytes, refusal: Refusal, reason: str) -> bytes:
        line = Quarantined(
            refusal=refusal,
            reason=reason,
            run_id=self._run_id,
            record=msgspec.Raw(record),
        )
        return quarantined_to_line(line)

    def keep(self, records: Sequence[bytes], *, page: int) -> Sequence[bytes]:
        """Those of a page that land, as they land.

        Raises Terminal(kind=schema) for the first that a frozen contract does not
        take.
        """
        if self._expected is None:
            self._observer.sample(records)
            return records
        kept: list[bytes] = []
        for at in range(0, len(records), AT_ONCE):
            some = records[at : at + AT_ONCE]
            if self._expected.holds(some):
                self._observer.sample(some)
                kept.extend(some)
                continue
            for record, row in zip(some, _taken_apart(some), strict=True):
                landing = self._judged(record, row, page)
                if landing is not None:
                    kept.append(landing)
            if self._establishes:
                self._expected = self._expectation()
        return kept

    def take_refused(self) -> list[bytes]:
        """The quarantine's lines so far; they are the caller's then."""
        refused, self._refused = self._refused, []
        return refused

    def after(self, *, is_live: bool) -> tuple[Observed, tuple[Drift, ...]]:
        """As `Observer.after`."""
        return self._observer.after(is_live=is_live)

    def _judged(
        self, record: bytes, row: Mapping[str, msgspec.Raw] | None, page: int
    ) -> bytes | None:
        """The record as it lands, or None if it does not."""
        if row is None:
            if self._establishes:
                return record
            self._set_unreadable_aside(record, page)
            return None
        undeclared, misfits = self._undeclared(row), self._misfits(row)
        if not undeclared and not misfits:
            self._observer.see(row)
            return record
        named = [self._undeclared_fault(name, row) for name in undeclared[:NAMED]]
        faults = [*named, *misfits]
        frozen = next((one for one in faults if one.mode == "freeze"), None)
        if frozen is not None:
            raise self._refusal(frozen, page)
        self._observer.refused(undeclared, row)
        for fault in misfits:
            expected = str(fault.expected)
            self._observer.misfit(fault.column, expected, type_of(fault.value))
        lands = all(one.mode == "discard_value" for one in faults)
        count = len(undeclared) + len(misfits)
        self._set_aside(record, faults, count=count, landed=lands)
        if not lands:
            self._observer.see_names(row)
            return None
        ways = [fault.way for fault in misfits]
        if undeclared and b"\\" not in record:
            # without walking through its bytes, where names are written as they are
            record = msgspec.json.encode(
                {name: row[name] for name in row if name in self._known}
            )
        else:
            ways += [(name,) for name in undeclared]
        record = without(record, ways)
        self._observer.see(_ROW.decode(record))
        self._observer.see_names(row)
        return record

    def _undeclared(self, row: Mapping[str, msgspec.Raw]) -> Sequence[str]:
        if self._columns_mode == "evolve" or row.keys() <= self._known:
            return ()
        return [name for name in row if name not in self._known]

    def _undeclared_fault(self, name: str, row: Mapping[str, msgspec.Raw]) -> _Fault:
        return _Fault(
            refusal=Refusal.COLUMNS,
            mode=self._columns_mode,
            column=name,
            way=(name,),
            expected=None,
            value=bytes(row[name]),
            is_personal=False,
        )

    def _misfits(self, row: Mapping[str, msgspec.Raw]) -> list[_Fault]:
        found: list[_Fault] = []
        for column in self._typed:
            raw = row.get(column.top)
            if raw is None:
                continue
            if column.below:
                reached = follow([raw], column.below)
                if not reached:
                    continue
                raw = reached[0]
            value = bytes(raw)
            if not column.takes(value):
                found.append(self._misfit(column, value))
        return found

    def _misfit(self, column: _Typed, value: bytes) -> _Fault:
        mode = self._type_mode
        if mode == "discard_value" and column.top in self._needed:
            # A row without its key, its cursor or its time is no row.
            mode = "discard_row"
        return _Fault(
            refusal=Refusal.DATA_TYPE,
            mode=mode,
            column=column.name,
            way=(column.top, *column.below),
            expected=column.type,
            value=value,
            is_personal=column.is_personal,
        )

    def _set_aside(
        self, record: bytes, faults: Sequence[_Fault], *, count: int, landed: bool
    ) -> None:
        """`faults` are the first of so many."""
        first = faults[0]
        more = count - NAMED
        reason = "; ".join(one.sentence for one in faults[:NAMED])
        line = Quarantined(
            refusal=first.refusal,
            reason=reason + (f"; and {more} more" if more > 0 else ""),
            run_id=self._run_id,
            column=first.column[:MAX_NAME],
            record=msgspec.Raw(record),
            landed=landed,
        )
        self._refused.append(quarantined_to_line(line))

    def _set_unreadable_aside(self, record: bytes, page: int) -> None:
        """As half a surrogate pair in a name: no contract can judge it."""
        if "freeze" in (self._columns_mode, self._type_mode):
            raise Terminal(
                f"page {page}: a record's names cannot be read, and the contract of "
                f"{self._dataset.name} is freeze (came: `{_excerpt(record)}`); nothing "
                "of this run lands. Set contract to discard_row to have such records "
                "quarantined",
                kind=RunErrorKind.SCHEMA,
            )
        text = record.decode("utf-8", "replace")
        line = Quarantined(
            refusal=Refusal.COLUMNS,
            reason="its names cannot be read",
            run_id=self._run_id,
            text=text,
        )
        self._refused.append(quarantined_to_line(line))

    def _refusal(self, fault: _Fault, page: int) -> Terminal:
        name = self._dataset.name
        came = (
            f"a {kind_of(fault.value)}, not shown because the column is personal"
            if fault.is_personal
            else f"`{_excerpt(fault.value)}`"
        )
        if fault.refusal is Refusal.COLUMNS:
            key = "columns"
            before = "is not declared"
            if self._dataset.columns is None:
                before = "was not there before"
            what = f"has the column `{short(fault.column)}`, which {before}"
            change = f"declare it under `columns` in datasets/{name}.yaml"
        else:
            key = "data_type"
            what = (
                f"has another type in the column `{short(fault.column)}`, which is "
                f"{fault.expected}"
            )
            change = f"correct its type under `columns` in datasets/{name}.yaml"
        return Terminal(
            f"page {page}: a record of {name} {what} (came: {came}), and "
            f"contract.{key} is freeze: nothing of this run lands, the cursor stays. "
            f"Have it corrected upstream, {change}, or set contract.{key} to "
            "discard_row, discard_value or evolve",
            kind=RunErrorKind.SCHEMA,
        )


def _no_object(value: bytes) -> str:
    return f"it is {_ARTICLE.get(kind_of(value), 'a ')}{kind_of(value)}, not an object"


def _typed_columns(dataset: Dataset, before: Observed) -> tuple[_Typed, ...]:
    if dataset.columns is None:
        return _of_observed(before.columns)
    return tuple(
        _Typed(
            name=column.name,
            top=column.top,
            below=column.way[1:],
            type=column.type,
            takes=takes,
            is_personal=column.is_personal,
        )
        for column in declared_columns(dataset)
        if column.top is not None
        if (takes := fits(column.type, column.zone)) is not None
    )


def _of_observed(columns: Mapping[str, ObservedType]) -> tuple[_Typed, ...]:
    return tuple(
        _Typed(name=name, top=name, below=(), type=kind, takes=takes, is_personal=False)
        for name, kind in columns.items()
        if (takes := of_observed(kind)) is not None
    )


def _as_tuples(columns: Sequence[_Typed]) -> list[TypedWay]:
    return [(one.top, one.below, one.type, one.takes) for one in columns]


def _taken_apart(
    records: Sequence[bytes],
) -> Sequence[Mapping[str, msgspec.Raw] | None]:
    """One level of each record; None for one that cannot be read."""
    try:
        return list(map(_ROW.decode, records))
    except msgspec.DecodeError:
        return [_one(record) for record in records]


def _one(record: bytes) -> Mapping[str, msgspec.Raw] | None:
    try:
        return _ROW.decode(record)
    except msgspec.DecodeError:
        return None


def short(name: str) -> str:
    """A name from the data, for a line of a message."""
    text = "".join(one if one.isprintable() else "?" for one in name)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _excerpt(value: bytes) -> str:
    return short(value[: SHOWN * 4].decode("utf-8", "replace"))
