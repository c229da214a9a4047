"""`python -m tests.mass`: the outage; `--write` keeps its figures in RESULTS.md."""

from __future__ import annotations

import argparse
import logging
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.mass.outage import OutageFigures, live

TITLE = "A mass outage"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if nothing was lost and all bounds held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.mass", description=__doc__)
    parser.add_argument("--datasets", type=int, default=10_000)
    parser.add_argument("--late", type=int, default=3_000)
    parser.add_argument("--write", action="store_true", help="keep the figures")
    options = parser.parse_args(arguments)
    logging.getLogger("catflap").setLevel(logging.CRITICAL)
    figures = live(datasets=options.datasets, late=options.late)
    text = as_markdown(figures, datasets=options.datasets, late=options.late)
    sys.stdout.write(text)
    if options.write:
        from benchmarks.__main__ import RESULTS, kept  # noqa: PLC0415 - would count as the function's memory

        section = text.partition("\n")[2]
        RESULTS.write_text(kept(RESULTS.read_text(), TITLE, section))
    return 1 if broken(figures, late=options.late) else 0


def broken(figures: OutageFigures, *, late: int) -> list[str]:
    """The bounds that did not hold."""
    one = late - 1  # one can never be written
    first = figures.checks[0]
    bounds = {
        "a check outlived its function": all(x.seconds < 300 for x in figures.checks),
        "more memory than the function has": figures.megabytes < 512,
        "the first check paged nobody": first.pages > 0,
        "too many messages in a channel": all(
            check.batches[channel] <= 20
            for check in figures.checks
            for channel in ("sns", "slack", "pagerduty")
        ),
        "some are late in silence": figures.opened == one,
        "some are on no pager": figures.on_the_pager == one,
        "notices were lost": set(figures.told.values()) == {one * 2, one}
        and figures.left == 0,
        "some were told twice": figures.twice == 0,
    }
    return [what for what, holds in bounds.items() if not holds]


def as_markdown(figures: OutageFigures, *, datasets: int, late: int) -> str:
    """The section of RESULTS.md."""
    rows = [
        f"| {number} | {one.seconds:.0f} | {one.of_these_network:.0f} | "
        f"{one.result.due:,} | {one.result.notices:,} | {one.batches['sns']} | "
        f"{one.batches['slack']} | {one.batches['pagerduty']} | {one.pages} | "
        f"{one.result.failed} |"
        for number, one in enumerate(figures.checks, start=1)
    ]
    wrong = broken(figures, late=late)
    measured = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} on {platform.node()}, by `make "
        f"mass`: {datasets:,} datasets after 100 days off, {late:,} of them late at "
        "once, every twentieth write throttled, one that can never be written. The "
        "check and its store are the real ones over a table in memory; seconds are "
        "CPU and what the calls would take over the network. A function has 300 s and "
        "512 MB."
    )
    columns = (
        "check", "seconds", "of these, the network's", "datasets looked at", "notices",
        "messages by SNS", "by Slack", "by PagerDuty", "pages", "could not be kept",
    )  # fmt: skip
    by = ", ".join(f"{n:,} by {name}" for name, n in sorted(figures.told.items()))
    held = f"Not held: {', '.join(wrong)}." if wrong else "All bounds held."
    came_to = (
        f"{figures.opened:,} incidents are open; told: {by}; {figures.twice} twice, "
        f"{figures.left} waiting. {figures.refused:,} writes were refused. "
        f"{figures.megabytes:.0f} MB at the peak. {held}"
    )
    head = f"| {' | '.join(columns)} |"
    lines = [
        f"## {TITLE}", measured, "", head, "|---" * len(columns) + "|", *rows, "",
        came_to, "",
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
