"""What is other in the datasets, in words: two catalogues in, sentences out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import JsonValue

from lambdas.core.dataset import Catalogue, Dataset, Model
from lambdas.core.sql import names
from lambdas.core.sql.loading import generation
from lambdas.core.sql.views import create_view
from lambdas.core.text.count import counted
from project.fault import printable

Kind: TypeAlias = Literal["added", "removed", "changed"]
LONGEST_VALUE = 60
_UNITS = {"second": "s", "minute": "min", "hour": "h", "day": "d"}
_PERIODS = {
    "warn_after": "warns after",
    "error_after": "SLA",
    "lower_bound_delta": "data no older than",
    "repeat_every": "repeats every",
    "reopen_within": "reopens within",
    "tolerance": "told up to",
}
_ABSENT = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One thing that is other: `key` as YAML has it, None where it is absent."""

    key: str
    before: JsonValue
    after: JsonValue
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChange:
    """What a deploy changes of one dataset, and what follows from it."""

    dataset: str
    change: Kind
    fields: tuple[FieldChange, ...] = ()
    consequences: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """One line for a person."""
        said = "; ".join(one.sentence for one in self.fields) or self.change
        return f"{self.dataset}: {said}"


def dataset_changes(
    before: Catalogue, after: Catalogue, *, database: str
) -> list[DatasetChange]:
    """All of them: what is removed first, then what is other, then what is new."""
    old, new = before.datasets, after.datasets
    changed = (
        _changed(old[name], new[name], database)
        for name in sorted(old.keys() & new.keys())
    )
    return [
        *(_removed(name, database) for name in sorted(old.keys() - new.keys())),
        *(one for one in changed if one is not None),
        *(_added(new[name]) for name in sorted(new.keys() - old.keys())),
    ]


def _removed(name: str, database: str) -> DatasetChange:
    return DatasetChange(
        dataset=name,
        change="removed",
        consequences=(
            f"no longer pulled; its rows stay in {names.raw_table(database, name)}",
        ),
    )


def _added(dataset: Dataset) -> DatasetChange:
    at = _schedule(_document(dataset.schedule))
    return DatasetChange(
        dataset=dataset.name, change="added", consequences=(f"it is pulled {at}",)
    )


def _changed(before: Dataset, after: Dataset, database: str) -> DatasetChange | None:
    fields = tuple(_fields(_document(before), _document(after)))
    if not fields:
        return None
    return DatasetChange(
        dataset=after.name,
        change="changed",
        fields=fields,
        consequences=tuple(_consequences(before, after, database)),
    )


def _document(model: Model) -> JsonValue:
    """With defaults, so that one that is written out is no change."""
    whole: JsonValue = model.model_dump(mode="json", by_alias=True)
    return whole


def _consequences(before: Dataset, after: Dataset, database: str) -> Iterator[str]:
    if generation(before) != generation(after):
        yield (
            f"a new pipe loads what lands below g{generation(after)}/ from now on; "
            "rows that are loaded stay"
        )
    cursors = before.source.cursor, after.source.cursor
    paths = [None if one is None else one.cursor_path for one in cursors]
    if paths[0] != paths[1]:
        yield (
            "the cursor is of another field: say where to begin by "
            f"`catflap reset {after.name} --cursor VALUE` or `--full`"
        )
    if create_view(database, before, {}) != create_view(database, after, {}):
        yield f"{names.analytics_view(database, after.name)} is replaced"
    if before.write_disposition != after.write_disposition:
        yield (
            f"rows that are there are shown as `{after.write_disposition}` shows them"
        )


def _fields(before: JsonValue, after: JsonValue) -> Iterator[FieldChange]:
    old, new = _mapping(before), _mapping(after)
    if old.get("schedule") != new.get("schedule"):
        yield from _schedules(old.get("schedule"), new.get("schedule"))
    if old.get("columns") != new.get("columns"):
        yield _columns(_mapping(old.get("columns")), _mapping(new.get("columns")))
    rest = {*old, *new} - {"schedule", "columns"}
    for name in sorted(rest):
        yield from _leaves(name, old.get(name), new.get(name))


def _leaves(key: str, before: JsonValue, after: JsonValue) -> Iterator[FieldChange]:
    """Down to what is other, a period being one thing."""
    if before == after:
        return
    last = key.rpartition(".")[2]
    is_mapping = isinstance(before, dict) or isinstance(after, dict)
    if last in _PERIODS or not is_mapping:
        yield FieldChange(
            key=key,
            before=before,
            after=after,
            sentence=f"{_PERIODS.get(last, key)} {_value(before)} → {_value(after)}",
        )
        return
    if before is not None and not isinstance(before, dict):
        before = None
    old, new = _mapping(before), _mapping(after)
    for name in sorted({*old, *new}):
        yield from _leaves(f"{key}.{name}", old.get(name), new.get(name))


def _schedules(before: JsonValue, after: JsonValue) -> Iterator[FieldChange]:
    old, new = _mapping(before), _mapping(after)
    if old.get("paused") != new.get("paused"):
        why = new.get("paused")
        yield FieldChange(
            key="schedule.paused",
            before=old.get("paused"),
            after=why,
            sentence=f"paused: {_value(why)}" if why else "paused no longer",
        )
    at = _schedule(before), _schedule(after)
    if at[0] != at[1]:
        yield FieldChange(
            key="schedule", before=before, after=after, sentence=f"{at[0]} → {at[1]}"
        )


def _schedule(schedule: JsonValue) -> str:
    known = _mapping(schedule)
    zone = known.get("timezone", "UTC")
    if (cron := known.get("cron")) is not None:
        return f"{_cron(str(cron))}{'' if zone == 'UTC' else f' in {zone}'}"
    count, _, unit = str(known.get("rate", "")).partition(" ")
    unit = unit.strip().rstrip("s")
    if count == "1":
        return {"hour": "hourly", "day": "daily"}.get(unit, f"every {unit}")
    return f"every {count} {_UNITS.get(unit, unit)}"


def _cron(cron: str) -> str:
    """`hourly at :05`, `daily at 06:30`; what is neither stays as it is written."""
    minute, hour, *rest = cron.split()
    if minute.isdigit() and rest in (["*", "*", "?", "*"], ["?", "*", "*", "*"]):
        if hour == "*":
            return f"hourly at :{int(minute):02d}"
        if hour.isdigit():
            return f"daily at {int(hour):02d}:{int(minute):02d}"
    return f"cron {cron}"


def _columns(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]
) -> FieldChange:
    new = [name for name in after if name not in before]
    gone = [name for name in before if name not in after]
    other = [name for name in after if name in before and after[name] != before[name]]
    said = [
        f"{counted(len(columns), 'column')} {word} ({_value(', '.join(columns))})"
        for columns, word in ((new, "new"), (gone, "gone"), (other, "changed"))
        if columns
    ]
    return FieldChange(
        key="columns",
        before=dict(before),
        after=dict(after),
        sentence=", ".join(said) or "columns in another order",
    )


def _value(value: JsonValue) -> str:
    if value is None:
        return _ABSENT
    if isinstance(value, dict) and {*value} == {"count", "period"}:
        unit = str(value["period"])
        return f"{value['count']} {_UNITS.get(unit, unit)}"
    text = printable(value if isinstance(value, str) else str(value))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}
