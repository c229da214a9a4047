"""``make january``: a month of real flights, as it was, and with an outage each day.

January 2013 has 27,004 flights out of New York, and 30 nights of six hours in which
none leaves. Lived through as it was, nobody may be told anything, while a check with
one flat threshold alerts every night; what that check would have seen is counted on
the same rows. Then the same month again, and each day something is broken at an hour
drawn from a seed: every outage has to be found, by its name, and its end has to be
told.

``--days N`` lives through less, ``--seed N`` draws other outages, ``--write`` keeps the
tables in docs/january.md.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.incidents.incident import Incident, NoticeKind
from lambdas.core.names import LOADING, MONITOR
from lambdas.core.text.count import counted
from local.drills import faults
from local.drills.registry import YOUNG
from local.drills.report import duration
from local.drills.stage import Ground, Seen, Told
from local.scenarios.flights_alone import flights_alone
from local.scenarios.replay import flat_alarms
from local.stack import ROOT, EmbeddedStack, read, synthesize
from local.upstream import Upstream, new_york_flights

START = datetime(2013, 1, 1, 12, tzinfo=UTC)
DAYS = 31
SEED = 2013
FLAT = timedelta(hours=3)
FLIGHTS = "flights"
SETTLED = timedelta(hours=2)
"""From one outage's end to the next one's begin, at least."""
FOUND_WITHIN = timedelta(hours=20)
"""An outage that begins at night shows only when flights are due again."""

WELL_WITHIN = timedelta(hours=8)
WORKING = timedelta(minutes=3)
PAGE = ROOT / "docs" / "january.md"

Act = Callable[["Month"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What is broken, the cause to be named, and causes that may come before."""

    name: str
    cause: str
    break_it: Act
    mend_it: Act
    pages: bool = True
    on_the_way: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of an outage. Times are simulated."""

    outage: Outage
    began: datetime
    named: tuple[str, ...]
    told_after: timedelta | None
    recovered_after: timedelta | None
    faults: tuple[str, ...]


@dataclass(kw_only=True)
class Quiet:
    """The month as it was."""

    days: int
    pages: int = 0
    told: list[Told] = field(default_factory=list)
    flat: int = 0
    checks: int = 0
    pulls: int = 0
    failures: int = 0


class Month(Ground):
    """The stack that a month is lived through in."""

    def __init__(
        self, *, stack: EmbeddedStack, upstream: Upstream, end: datetime
    ) -> None:
        self.stack = stack
        self.upstream = upstream
        self.now = START
        self.end = end
        self.told: list[Told] = []
        self.seen: list[Seen] = []
        self.incidents = IncidentTable(
            dynamodb=self.client("dynamodb"), table=self.state_table
        )

    def step(self, until: datetime) -> bool:
        """Live until something is due, or to `until`; False once that is reached."""
        due = self.stack.fabric.next_due()
        moment = until if due is None or due > until else due
        self.now = moment
        self.stack.set_clock(moment)
        self.upstream.release(moment)
        checks = self._checks()
        self.stack.fabric.tick(moment)
        self.stack.fabric.drain(moment)
        if self._checks() > checks:
            self.told.extend(
                Told(at=moment, mail=mail) for mail in self.stack.topics.read()
            )
            self.seen.extend(
                Seen(at=moment, incident=one) for one in self.open_incidents()
            )
        return moment < until

    def live(self, until: datetime) -> None:
        """Let time pass."""
        while self.step(until):
            pass

    def open_incidents(self) -> list[Incident]:
        """Those of the datasets, of loads and of the monitoring itself."""
        names = (*self.upstream.tables, LOADING, MONITOR)
        found = [self.incidents.open_incident(name) for name in names]
        return [incident for incident in found if incident is not None]

    def hours(self) -> list[datetime]:
        """The hours of the flights since the begin: what any check would have seen."""
        rows = self.upstream.tables[FLIGHTS].released()
        found = [datetime.fromisoformat(str(row[-1])) for row in rows]
        return [hour for hour in found if hour >= START]

    def _checks(self) -> int:
        return sum(one.function == "freshness" for one in self.stack.host.invocations)


def outages() -> tuple[Outage, ...]:
    """All kinds, made anew: some remember what they have taken away."""
    wiring, bucket = faults.Wiring(), faults.Policies("s3")
    return (
        Outage(
            name="the API is down",
            cause="upstream_down",
            break_it=lambda month: month.upstream.stop(),
            mend_it=lambda month: month.upstream.start(),
        ),
        Outage(
            name="the API has no new flights",
            cause="upstream_quiet",
            pages=False,
            break_it=lambda month: _hold(month, is_held=True),
            mend_it=lambda month: _hold(month, is_held=False),
        ),
        Outage(
            name="the pipe is paused",
            cause="pipe_stopped",
            break_it=lambda month: faults.pause(month, FLIGHTS),
            mend_it=lambda month: faults.resume(month, FLIGHTS),
        ),
        Outage(
            name="the schedule is off",
            cause="schedule_disabled",
            break_it=lambda month: faults.set_schedule(month, FLIGHTS, is_on=False),
            mend_it=lambda month: faults.set_schedule(month, FLIGHTS, is_on=True),
        ),
        Outage(
            name="the pull function crashes",
            cause="pull_not_run",
            break_it=faults.break_environment,
            mend_it=faults.mend_environment,
        ),
        Outage(
            name="the pull function may not use the bucket",
            cause="pull_failed",
            break_it=lambda month: bucket.take(month, faults.pull_role(month)),
            mend_it=lambda month: bucket.give_back(month, faults.pull_role(month)),
        ),
        Outage(
            name="the bucket's events are gone",
            cause="not_notified",
            on_the_way=YOUNG,
            break_it=wiring.cut,
            mend_it=wiring.mend,
        ),
    )


def _hold(month: Month, *, is_held: bool) -> None:
    table = month.upstream.tables[FLIGHTS]
    table.is_held = is_held
    table.release(month.now)


@contextmanager
def a_month(
    folder: Path, days: int, *, assembly: Path | None = None
) -> Iterator[Month]:
    """A stack at the month's begin, of templates that are there or are made."""
    folder.mkdir(parents=True)
    end = START.replace(hour=0) + timedelta(days=days)
    with closing(new_york_flights(folder, until=end)) as upstream:
        upstream.start()
        root = flights_alone(folder / "project")
        if assembly is None:
            assembly = folder / "cdk.out"
            synthesize(assembly, root=root)
        project = read(root, "dev", upstream_url=upstream.base_url)
        stack = EmbeddedStack(
            project=project, assembly=assembly, folder=folder, start=START
        )
        with stack:
            yield Month(stack=stack, upstream=upstream, end=end)


def as_it_was(month: Month, *, days: int, progress: Callable[[str], None]) -> Quiet:
    """Live through it, and count who was told."""
    at = START
    while at < month.end:
        at = min(at + timedelta(days=1), month.end)
        month.live(at)
        progress(f"{at:%d %B}: {counted(len(month.told), 'message')}")
    return Quiet(
        days=days,
        pages=sum(one.is_page for one in month.told),
        told=list(month.told),
        flat=flat_alarms(month.hours(), threshold=FLAT, until=month.end),
        checks=len(month.stack.answers("freshness")),
        pulls=month.stack.pulls(),
        failures=len(month.stack.failures()),
    )


def with_outages(
    month: Month, *, seed: int, progress: Callable[[str], None]
) -> list[Found]:
    """An outage each day; every kind comes up before any comes again."""
    drawn = random.Random(seed)  # noqa: S311 - what makes it replay
    bag: list[Outage] = []
    found: list[Found] = []
    kinds = outages()
    day = START.replace(hour=0)
    while True:
        day += timedelta(days=1)
        at = max(day + timedelta(minutes=drawn.randrange(24 * 60)), month.now + SETTLED)
        if at + FOUND_WITHIN + WELL_WITHIN > month.end:
            return found
        if not bag:
            bag = drawn.sample(kinds, len(kinds))
        month.live(at)
        one = lived(month, bag.pop())
        found.append(one)
        verdict = "; ".join(one.faults) or "ok"
        progress(f"{one.began:%d %B %H:%M}: {one.outage.name}: {one.named} {verdict}")


def lived(month: Month, outage: Outage) -> Found:
    """Break, wait until it is told, mend, wait until all is well."""
    began = month.now
    wrong = [f"told before it: {one.mail.subject}" for one in _news(month, began)]
    month.told.clear()
    outage.break_it(month)
    limit = began + FOUND_WITHIN
    while not _is_told(month, outage, began) and month.step(limit):
        pass
    mended = month.now
    outage.mend_it(month)
    month.live(month.now + WORKING)
    limit = mended + WELL_WITHIN
    while month.open_incidents() and month.step(limit):
        pass
    well = month.now
    seen = [one for one in month.seen if one.at > began]
    led = [code for one in seen if one.at <= mended for code in one.incident.causes]
    named = tuple(dict.fromkeys(led))
    first = next((one.at for one in seen if _names(one.incident, outage)), None)
    if first is None:
        wrong.append("not found")
    misnamed = set(named) - {outage.cause} - outage.on_the_way
    wrong += [f"{code} was named" for code in sorted(misnamed)]
    paged = any(one.is_page for one in month.told if one.at <= mended)
    if paged != outage.pages:
        wrong.append("nobody was paged" if outage.pages else "somebody was paged")
    is_over = not month.open_incidents()
    is_end_told = any(one.mail.kind == NoticeKind.RESOLVED for one in month.told)
    if not is_end_told or not is_over:
        wrong.append("the recovery was not told")
    month.told.clear()
    month.seen.clear()
    return Found(
        outage=outage,
        began=began,
        named=named,
        told_after=None if first is None else first - began,
        recovered_after=well - mended if is_over else None,
        faults=tuple(wrong),
    )


def _news(month: Month, until: datetime) -> list[Told]:
    """What was told since the last outage was over: nothing was to be."""
    return [one for one in month.told if one.at <= until]


def _names(incident: Incident, outage: Outage) -> bool:
    """Of the flights, or of what keeps them from being loaded."""
    is_about = incident.dataset in (FLIGHTS, LOADING)
    return is_about and outage.cause in {incident.cause, *incident.causes}


def _is_told(month: Month, outage: Outage, began: datetime) -> bool:
    named = any(_names(one.incident, outage) for one in month.seen if one.at > began)
    paged = any(one.is_page for one in month.told)
    return named and (paged or not outage.pages)


def page(quiet: Quiet, found: Sequence[Found], seed: int) -> str:
    """`docs/january.md`."""
    lines = [
        "# January as it is",
        "",
        "Made by `make january`; do not edit.",
        "",
        (
            f"{quiet.days} days of January 2013: every flight that left New York, and "
            "the weather there, through the synthesized templates and the real "
            "handlers. Between the last flight of a day and the first of the next lie "
            "six hours."
        ),
        "",
        "## As it was",
        "",
        "| | |",
        "|---|---|",
        f"| pulls | {quiet.pulls:,} |",
        f"| freshness checks | {quiet.checks:,} |",
        f"| alerts of a check with one flat threshold of 3 hours | {quiet.flat} |",
        f"| pages | {quiet.pages} |",
        f"| messages to anybody | {len(quiet.told)} |",
        f"| invocations that failed | {quiet.failures} |",
        "",
        "## With an outage each day",
        "",
        (
            f"At hours drawn from seed {seed}. Found after is the simulated time from "
            "the outage to the first check that names it: until flights are late, "
            "there is nothing to tell, and at night none is due."
        ),
        "",
        "| began (UTC) | what | named | found after | well again after | |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.began:%d Jan %H:%M} | {one.outage.name} | "
        f"{' → '.join(f'`{code}`' for code in one.named) or 'nothing'} | "
        f"{duration(one.told_after)} | {duration(one.recovered_after)} | "
        f"{'; '.join(one.faults) or 'ok'} |"
        for one in found
    ]
    bad = sum(bool(one.faults) for one in found)
    lines += ["", f"{len(found)} outages, {len(found) - bad} as they must be.", ""]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Live through it twice; 0 if all was as it must be, 1 if not."""
    parser = argparse.ArgumentParser(
        prog="python -m local.scenarios.january",
        description=__doc__.partition("\n\n")[0],
    )
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    folder = Path(tempfile.mkdtemp(prefix="catflap-january-"))

    def progress(text: str) -> None:
        console.print(f"  {time.monotonic() - began:5.0f} s  {text}", markup=False)

    began = time.monotonic()
    try:
        with a_month(folder / "quiet", given.days) as month:
            quiet = as_it_was(month, days=given.days, progress=progress)
        with a_month(folder / "outages", given.days) as month:
            found = with_outages(month, seed=given.seed, progress=progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = page(quiet, found, given.seed)
    console.print(text, markup=False)
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    is_well = not quiet.told and not quiet.failures
    return 0 if is_well and found and not any(one.faults for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
