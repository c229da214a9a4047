"""What the warehouse answered, for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape
from rich.table import Table

from cli.output import iso
from project.fault import printable


def rows_as_json(
    names: Sequence[str], rows: Sequence[Sequence[object]]
) -> dict[str, object]:
    """An answer of the warehouse for scripts: times as ISO 8601, the rest as it is."""
    return {
        "columns": list(names),
        "rows": [[_plain(value) for value in row] for row in rows],
    }


def rows_as_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """The same for a person; our own columns, which begin with `_`, are left out where
    there are others.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    places = [place for place, name in enumerate(names) if not name.startswith("_")]
    places = places or list(range(len(names)))
    for place in places:
        table.add_column(printable(names[place]), overflow="ellipsis", max_width=40)
    for row in rows:
        cells = [
            "" if row[place] is None else str(_plain(row[place])) for place in places
        ]
        table.add_row(*(escape(printable(cell)) for cell in cells))
    return table


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
