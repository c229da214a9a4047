"""What a person sees of a replay: progress, messages, and the table at the end."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import zip_longest

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lambdas.core.quality.result import QualityResult, shown
from local.scenarios.comparison import Comparison
from local.scenarios.replay import Told
from local.scenarios.story import Turn

PEOPLE = {"engineers": "red", "stakeholders": "blue"}
_TEXT = re.compile(r">([^<]+)</text>")
_DRAWN_BY_LOT = re.compile(
    r"\.\d{3}Z-[0-9a-f]{12}-|\d+ h( \d+ min)?\b|\d+ min\b|[\d.]+%|(?<=:\d\d):\d\d\b"
)
"""The end of a run's name, and what minutes and seconds change: the clock goes on while
functions work.
"""


def print_story(console: Console, told: Sequence[Told], turns: Sequence[Turn]) -> None:
    """What happened and what people read, in order of time."""
    moments: list[tuple[datetime, int, Turn | Told]] = [
        *((turn.at, 0, turn) for turn in turns),
        *((one.at, 1, one) for one in told),
    ]
    for at, _, moment in sorted(moments, key=lambda one: one[:2]):
        if isinstance(moment, Turn):
            console.print(
                f"[dim]{at:%d %b %H:%M} UTC[/dim]  [bold]{moment.told}[/bold]"
            )
            continue
        if moment.mail.body.count("\n"):
            console.print(panel(moment))
        else:  # a quiet morning
            console.print(
                f"{moment.at:%d %b %H:%M} UTC  {moment.mail.body}", style="dim"
            )


def panel(told: Told) -> Panel:
    """A message as people read it."""
    mail = told.mail
    return Panel(
        Text(mail.body.strip()),
        title=f"{told.at:%d %b %H:%M} UTC to {mail.audience}",
        title_align="left",
        border_style=PEOPLE.get(mail.audience, "white"),
        highlight=False,
    )


def is_page(told: Told) -> bool:
    """Whether a message is meant to wake somebody."""
    return told.mail.subject.startswith("[page]")


def worth_a_picture(told: Sequence[Told]) -> list[Told]:
    """What engineers read: the first page, the digest of the morning after, and the
    causes report.
    """
    theirs = [one for one in told if one.mail.audience == "engineers"]
    page = next(one for one in theirs if is_page(one))
    after = [x for x in theirs if x.mail.kind == "digest" and x.at > page.at]
    causes = [x for x in theirs if x.mail.kind == "causes"]
    return [page, *after[:1], *causes[:1]]


def drawn(told: Sequence[Told], tables: Sequence[Table]) -> str:
    """An SVG of some messages and the tables: what a terminal shows of them."""
    console = Console(
        file=io.StringIO(), record=True, width=100, highlight=False, color_system="256"
    )
    for one in told:
        console.print(panel(one))
    for table in tables:
        console.print(table)
    svg = console.export_svg(title="make run")
    # A picture fetches nothing: whatever fixed-width font there is will do.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "DejaVu Sans Mono")


def first_difference(picture: str, now: str) -> str | None:
    """What two pictures say differently at first; None if they say the same."""
    pairs = zip_longest(_words_of(picture), _words_of(now), fillvalue="nothing")
    return next((f"{old!r}, now {new!r}" for old, new in pairs if old != new), None)


def _words_of(picture: str) -> list[str]:
    words = (html.unescape(found).split() for found in _TEXT.findall(picture))
    return [_DRAWN_BY_LOT.sub("", " ".join(one)) for one in words if one]


def datasets_table(
    comparisons: Sequence[Comparison],
    flat_alarms: dict[str, int],
    pages: dict[str, int],
) -> Table:
    """One line a dataset: rows at three places, alarms that were and were not."""
    table = Table(title="Datasets")
    table.add_column("dataset")
    for name in ("released upstream", "landed on S3", "in the table"):
        table.add_column(name, justify="right")
    table.add_column("by key and content")
    table.add_column("a flat 3 h threshold alerts", justify="right")
    table.add_column("catflap pages", justify="right")
    for one in comparisons:
        table.add_row(
            one.dataset,
            f"{one.upstream:,}",
            f"{one.landed:,}",
            f"{one.table:,}",
            "the same" if one.is_same else "[red]" + "; ".join(one.faults) + "[/red]",
            str(flat_alarms.get(one.dataset, "–")),
            str(pages[one.dataset]),
        )
    return table


def models_table(rows: Mapping[str, int]) -> Table:
    """One line a model."""
    table = Table(title="Models")
    table.add_column("model")
    table.add_column("rows", justify="right")
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    return table


def checks_table(found: Sequence[tuple[str, QualityResult]]) -> Table:
    """One line a check, with the dataset or model whose rows it measures."""
    table = Table(title="Quality checks")
    for name in ("of", "check", "value", "must be", "severity", "state"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for of, one in found:
        state = one.state if one.state == "pass" else f"[red]{one.state}[/red]"
        table.add_row(of, one.check, shown(one.value), one.must, one.severity, state)
    return table


def totals_table(totals: Sequence[tuple[str, object]]) -> Table:
    """Figures of the whole run."""
    table = Table(title="Totals", show_header=False)
    table.add_column("what")
    table.add_column("figure", justify="right")
    for name, figure in totals:
        table.add_row(name, f"{figure:,}" if isinstance(figure, int) else str(figure))
    return table
