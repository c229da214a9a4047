"""What the warehouse answered, for a person and for a script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape
from rich.table import Table

from cli.output import iso
from project.fault import printable

WIDEST = 40
"""Characters of a cell; the rest is cut."""
_GAP = 1


def rows_as_json(
    names: Sequence[str], rows: Sequence[Sequence[object]]
) -> dict[str, object]:
    """An answer of the warehouse for scripts: times as ISO 8601, the rest as it is."""
    return {
        "columns": list(names),
        "rows": [[_plain(value) for value in row] for row in rows],
    }


def rows_as_table(
    names: Sequence[str], rows: Sequence[Sequence[object]], *, width: int
) -> Table:
    """The same for a person, as wide as `width`; without our own `_` columns."""
    places = [place for place, name in enumerate(names) if not name.startswith("_")]
    cells = {
        place: [printable(names[place]), *(_text(row[place]) for row in rows)]
        for place in places or range(len(names))
    }
    room = width
    shown: list[int] = []
    for place, texts in cells.items():
        room -= min(WIDEST, max(map(len, texts))) + _GAP
        if room < -_GAP and shown:
            break
        shown.append(place)
    left_out = [names[place] for place in cells if place not in shown]
    note = f"not shown: {', '.join(map(printable, left_out))}" if left_out else None
    table = Table(box=None, pad_edge=False, header_style="dim", caption=note)
    table.caption_justify = "left"
    for place in shown:
        table.add_column(escape(cells[place][0]), overflow="ellipsis", max_width=WIDEST)
    for number in range(1, len(rows) + 1):
        table.add_row(*(escape(cells[place][number]) for place in shown))
    return table


def _text(value: object) -> str:
    return "" if value is None else printable(str(_plain(value)))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
