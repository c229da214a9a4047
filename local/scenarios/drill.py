"""``make drill``: every cause, by breaking the thing for real.

``--only NAME`` (a drill or a cause, may be repeated) makes some of them, ``--write``
keeps the table in docs/drills.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from local.drills.registry import Drill, drills
from local.drills.report import PAGE, outcomes_table, page, print_outcome
from local.drills.runner import Outcome, run
from local.drills.stage import Stage

HEALTHY = timedelta(hours=3, minutes=30)
"""Lived through before the first fault."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Drill; 0 if everything was found, told and mended as it must be, 1 if not."""
    every = drills()
    parser = argparse.ArgumentParser(
        prog="python -m local.scenarios.drill", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument("--only", action="append", metavar="NAME", default=[])
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--keep", action="store_true", help="keep logs and templates")
    given = parser.parse_args(arguments)
    known = {one.name for one in every} | {one.cause for one in every}
    unknown = sorted(set(given.only) - known)
    if unknown:
        parser.error(
            f"no drill is called {unknown[0]}; there: {', '.join(sorted(known))}"
        )
    if given.write and given.only:
        parser.error("--write keeps the table of all drills: leave --only out")
    chosen = [
        one
        for one in every
        if not given.only or {one.name, one.cause} & set(given.only)
    ]
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    folder = Path(tempfile.mkdtemp(prefix="catflap-drill-"))
    try:
        outcomes = live(console, folder, chosen)
    finally:
        if given.keep:
            console.print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if given.write:
        PAGE.write_text(page(outcomes), encoding="utf-8")
        console.print(f"written: {PAGE}")
    return 1 if any(one.faults for one in outcomes) else 0


def live(console: Console, folder: Path, chosen: Sequence[Drill]) -> list[Outcome]:
    """Make the drills on one stack; on a new one after one that left it unwell."""
    began = time.monotonic()
    outcomes: list[Outcome] = []
    left = list(chosen)
    while left:
        with ExitStack() as opened:
            stage = opened.enter_context(Stage(folder / str(len(left))))
            stage.live(HEALTHY)
            if stage.open_incidents() or stage.told:
                raise RuntimeError(
                    "the stack is not well before anything was broken: "
                    f"{[one.mail.subject for one in stage.told]}"
                )
            console.print(f"deployed and well ({time.monotonic() - began:.0f} s)")
            while left:
                outcome = run(stage, left.pop(0))
                outcomes.append(outcome)
                print_outcome(console, outcome)
                if outcome.recovered is None:
                    break
    console.print(outcomes_table(outcomes))
    console.print(f"{time.monotonic() - began:.0f} s", style="dim")
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
