"""What a person sees of the drills: each as it ends, all as a table, and the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambdas.core.text.duration import lasting
from local.drills.project import CHECK_EVERY, ERROR_AFTER, PULL_EVERY, WARN_AFTER
from local.drills.runner import Outcome
from local.inbox import Mail

PAGE = Path(__file__).resolve().parents[2] / "docs" / "drills.md"


def duration(time: timedelta | None) -> str:
    """`1 h 20 min`, or `never`."""
    return "never" if time is None else lasting(60 * round(time.total_seconds() / 60))


_HOW = (
    "Each cause is produced in the embedded stack by breaking the thing itself, from a "
    "healthy state: the synthesized templates, the real handlers, the roles of the "
    "templates. Time then goes on until people are told; it is mended, and the "
    "recovery is waited for. A drill fails if another cause is told, if somebody is "
    "told who need not know, or if the other dataset is named."
)
_WHEN = (
    f"Rows appear every 5 minutes, a pull is made every {duration(PULL_EVERY)}, a "
    f"check every {duration(CHECK_EVERY)}; data is late after {duration(WARN_AFTER)} "
    f"(warning) and {duration(ERROR_AFTER)} (error). *Told after* is the simulated "
    "time from the fault to the first message that names it: until data is late, "
    "there is nothing to tell. Where causes are joined by an arrow, the later ones "
    "were seen while the repair took effect, or held for a while before."
)
_HEAD = (
    "| drill | what is broken | cause expected | causes told | beside them | "
    "told after | who | well again after | |"
)


def print_outcome(console: Console, outcome: Outcome) -> None:
    """One drill, with its messages."""
    drill = outcome.drill
    verdict = "[red]not ok[/red]" if outcome.faults else "[green]ok[/green]"
    console.print(f"{verdict} [bold]{drill.name}[/bold]: {drill.broken}")
    console.print(f"    expected {drill.cause}; found {_found(outcome)}", markup=False)
    console.print(
        f"    told after {duration(outcome.noticed)}; {drill.mended}; well again "
        f"after {duration(outcome.recovered)}",
        markup=False,
    )
    for one in outcome.told:
        line = f"    {one.at:%H:%M} {one.mail.audience}: {one.mail.subject}"
        console.print(Text(line, style="dim"))
    for fault in outcome.faults:
        console.print(f"    {fault}", style="red", markup=False)


def outcomes_table(outcomes: Sequence[Outcome]) -> Table:
    """All of them."""
    table = Table(title="Drills")
    for name in ("drill", "expected", "found", "told after", "well after", "messages"):
        table.add_column(name)
    table.add_column("")
    for outcome in outcomes:
        table.add_row(
            outcome.drill.name,
            outcome.drill.cause,
            _found(outcome),
            duration(outcome.noticed),
            duration(outcome.recovered),
            str(len(outcome.told)),
            "[red]not ok[/red]" if outcome.faults else "ok",
        )
    return table


def page(outcomes: Sequence[Outcome]) -> str:
    """`docs/drills.md`."""
    lines = [
        "# Drills",
        "",
        "Made by `python -m local.scenarios.drill --write`; do not edit.",
        "",
        _HOW,
        "",
        _WHEN,
        "",
        _HEAD,
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        drill = outcome.drill
        who = ", ".join(sorted(drill.tell)) + (" (paged)" if drill.pages else "")
        causes = " → ".join(f"`{code}`" for code in outcome.found) or "none"
        beside = ", ".join(f"`{code}`" for code in outcome.also) or "–"
        cells = (
            drill.name,
            drill.broken,
            f"`{drill.cause}`",
            causes,
            beside,
            duration(outcome.noticed),
            who,
            duration(outcome.recovered),
            "**not ok**" if outcome.faults else "ok",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## What was told", ""]
    for outcome in outcomes:
        lines += [f"### {outcome.drill.name}", ""]
        lines += [
            f"- to {one.mail.audience}: {_flat(_headline(one.mail))}"
            for one in outcome.told
        ] or ["- nothing"]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _found(outcome: Outcome) -> str:
    also = f" (also {', '.join(outcome.also)})" if outcome.also else ""
    return (", then ".join(outcome.found) or "nothing") + also


def _headline(mail: Mail) -> str:
    """The subject, whole: a mail's own is cut at 100 characters."""
    if not mail.subject.endswith(("...", "…")):
        return mail.subject
    return mail.body.strip().splitlines()[0]


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
