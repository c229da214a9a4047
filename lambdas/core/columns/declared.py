"""The columns a dataset declares, and the names that its other keys point to."""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.core.dataset import Column, ColumnType, Dataset, zone_of
from lambdas.core.records.json_path import Step, steps


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedColumn:
    """A declared column, and where it stands in a record.

    `zone` is that of times without an offset. `is_personal`: its values stand in no
    message.
    """

    name: str
    way: tuple[Step, ...]
    type: ColumnType
    zone: str | None
    is_personal: bool

    @property
    def top(self) -> str | None:
        """The top-level name that it stands below."""
        return _top(self.way)


def declared_columns(dataset: Dataset) -> tuple[TypedColumn, ...]:
    """The columns of the YAML, in its order; none if it leaves them to the data."""
    found = []
    for name, written in (dataset.columns or {}).items():
        column = written if isinstance(written, Column) else Column(type=written)
        path = column.path if column.path is not None else path_to(name)
        found.append(
            TypedColumn(
                name=name,
                way=steps(path),
                type=column.type,
                zone=zone_of(dataset, path),
                is_personal=column.personal,
            )
        )
    return tuple(found)


def personal_columns(dataset: Dataset) -> tuple[str, ...]:
    """Those that say something of a person, as the YAML names them, by alphabet."""
    return tuple(
        sorted(one.name for one in declared_columns(dataset) if one.is_personal)
    )


def path_to(name: str) -> str:
    """The path of a top-level name, whatever is in it."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"$['{escaped}']"


def pointed_names(dataset: Dataset) -> frozenset[str]:
    """Top-level names of a row's key, its time and its deletion."""
    paths = [*dataset.primary_key, dataset.deleted_when]
    paths.append(dataset.freshness.loaded_at_field)
    if dataset.source.cursor is not None:
        paths.append(dataset.source.cursor.cursor_path)
    tops = (_top(steps(path)) for path in paths if path is not None)
    return frozenset(top for top in tops if top is not None)


def known_names(dataset: Dataset) -> frozenset[str]:
    """Top-level names that the YAML speaks of."""
    tops = {column.top for column in declared_columns(dataset)}
    return pointed_names(dataset) | {top for top in tops if top is not None}


def _top(way: tuple[Step, ...]) -> str | None:
    return way[0] if way and isinstance(way[0], str) else None
