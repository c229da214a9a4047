"""``make run``: days of January 2013 through the embedded stack, and what was told."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lambdas.adapters.state.checks import CheckTable
from lambdas.core.incidents.quality import HELD_BACK
from lambdas.core.quality.result import QualityResult
from lambdas.core.text.count import counted
from local.scenarios.comparison import Comparison, canonical, compare, landed, released
from local.scenarios.replay import Diary, Replay, flat_alarms
from local.scenarios.report import (
    checks_table,
    datasets_table,
    drawn,
    first_difference,
    is_page,
    models_table,
    print_story,
    totals_table,
    worth_a_picture,
)
from local.scenarios.story import (
    BY_RIGHT,
    DAYS_NEEDED,
    HALVED,
    PAUSED,
    QUIET,
    half_a_register,
    month_ends,
    shown_at,
    two_incidents,
)
from local.stack import ROOT, EmbeddedStack, Synthesis, read
from local.status_page import page_of
from local.trial.workspace import FOLDER
from local.upstream import Upstream, new_york_flights

START = datetime(2013, 1, 1, 12, tzinfo=UTC)
DAYS = 6
THRESHOLD = timedelta(hours=3)
INBOX = FOLDER / "inbox.html"
PAGE, LATE_PAGE = FOLDER / "page.html", FOLDER / "page-late.html"
WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that is checked and printed at the end."""

    comparisons: list[Comparison]
    flat: dict[str, int]
    pages: dict[str, int]
    checks: list[tuple[str, QualityResult]]
    models: dict[str, int]
    totals: list[tuple[str, object]]
    faults: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 if everything was as it must be, 1 if not."""
    parser = argparse.ArgumentParser(
        prog="python -m local", description=__doc__, epilog="example: make run DAYS=12"
    )
    parser.add_argument(
        "--days", type=int, default=DAYS, help=f"days to live through ({DAYS})"
    )
    parser.add_argument("--keep", action="store_true", help="keep logs and templates")
    parser.add_argument(
        "--picture", type=Path, metavar="SVG", help="draw the page and the tables"
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="SVG",
        help="fail if it says otherwise",
    )
    given = parser.parse_args(arguments)
    if given.days < DAYS_NEEDED:
        parser.error(f"the story needs {DAYS_NEEDED} days; {given.days} were asked for")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    folder = Path(tempfile.mkdtemp(prefix="catflap-run-"))
    try:
        outcome, picture = live(console, folder, given.days)
    finally:
        if given.keep:
            console.print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if given.picture is not None:
        given.picture.write_text(picture, encoding="utf-8")
    if given.compare is not None:
        other = first_difference(given.compare.read_text(encoding="utf-8"), picture)
        if other is not None:
            outcome.faults.append(
                f"{given.compare} says {other}; draw it anew by "
                f"`.venv/bin/python -m local --picture {given.compare}`"
            )
    for fault in outcome.faults:
        console.print("not as it must be:", fault, style="red", markup=False)
    return 1 if outcome.faults else 0


def live(console: Console, folder: Path, days: int) -> tuple[Outcome, str]:
    """Start everything, live through the days, print what happened; and its picture."""
    end = START + timedelta(days=days)
    began = time.monotonic()
    console.print("[bold]catflap[/bold]: January 2013, from templates to messages")
    with (
        closing(Synthesis(folder / "cdk.out")) as templates,
        closing(new_york_flights(folder, until=end)) as upstream,
    ):
        upstream.start()
        console.print(f"  upstream: Datasette at {upstream.base_url}")
        project = read(ROOT, "dev", upstream_url=upstream.base_url)
        stack = EmbeddedStack(
            project=project,
            assembly=templates,
            folder=folder,
            start=START,
            team_reports=True,
        )
        with stack:
            total, took_s = stack.deployment.total_resources, time.monotonic() - began
            console.print(
                f"  synthesized and deployed {total} resources ({took_s:.0f} s)"
            )
            INBOX.parent.mkdir(exist_ok=True)
            diary = _lived(console, stack, upstream, end)
            outcome = _judged(stack, upstream, diary, end)
            stack.slack.write(INBOX)
            stack.report("page", now=end)
            PAGE.write_text(page_of(stack, now=end))
    console.rule("what people read")
    print_story(console, diary.told, diary.turns)
    console.rule("in the end")
    tables = (
        datasets_table(outcome.comparisons, outcome.flat, outcome.pages),
        checks_table(outcome.checks),
        models_table(outcome.models),
        totals_table(outcome.totals),
    )
    for table in tables:
        console.print(table)
    console.print(f"the messages as Slack would show them: {INBOX}")
    console.print(f"the status page while flights was late: {LATE_PAGE}")
    console.print(f"the status page in the end: {PAGE}")
    console.print(f"{time.monotonic() - began:.0f} s", style="dim")
    return outcome, drawn(worth_a_picture(diary.told), tables)


def _lived(
    console: Console, stack: EmbeddedStack, upstream: Upstream, end: datetime
) -> Diary:
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
    )
    is_watched = console.is_terminal
    with Progress(*columns, console=console, disable=not is_watched) as bar:
        task = bar.add_task("living", total=(end - START).total_seconds())
        day = START.date()
        midnight = datetime(START.year, START.month, START.day, tzinfo=UTC)
        is_shown = False

        def progress(now: datetime) -> None:
            nonlocal day, is_shown
            if not is_shown and now >= shown_at(midnight):
                is_shown = True
                LATE_PAGE.write_text(page_of(stack, now=now))
            bar.update(
                task,
                completed=(now - START).total_seconds(),
                description=f"{now:%d %b %H:%M} UTC",
            )
            if not is_watched and now.date() != day:
                day = now.date()
                console.print(f"  {now:%d %B}: {counted(stack.pulls(), 'pull')} so far")

        replay = Replay(
            stack=stack,
            upstream=upstream,
            start=START,
            end=end,
            turns=(
                *two_incidents(midnight),
                *half_a_register(midnight),
                month_ends(end),
            ),
            progress=progress,
        )
        return replay.live()


def _judged(
    stack: EmbeddedStack, upstream: Upstream, diary: Diary, end: datetime
) -> Outcome:
    comparisons = [_compared(stack, upstream, name) for name in upstream.tables]
    flat = {
        name: flat_alarms(
            [
                datetime.fromisoformat(str(row[-1]))
                for row in table.released()
                if str(row[-1]) >= START.isoformat()
            ],
            threshold=THRESHOLD,
            until=end,
        )
        for name, table in upstream.tables.items()
        if table.has_hours
    }
    paged = [told for told in diary.told if is_page(told)]
    pages = {
        name: sum(name in WORDS.findall(told.mail.subject) for told in paged)
        for name in upstream.tables
    }
    faults = [f"{one.dataset}: {fault}" for one in comparisons for fault in one.faults]
    checks = _checks(stack)
    faults += [*_story_faults(diary), *_check_faults(checks)]
    if (seen := diary.shown[HALVED]) < len(upstream.tables[HALVED].released()):
        faults.append(f"{HALVED} showed {seen} rows while half of them had come")
    faults += [f"{one.function}: {one.error}" for one in stack.failures()]
    return Outcome(
        comparisons=comparisons,
        flat=flat,
        pages=pages,
        checks=checks,
        models={name: stack.rows_of(name) for name in stack.project.catalogue.models},
        totals=_totals(stack, comparisons, diary),
        faults=faults,
    )


def _compared(stack: EmbeddedStack, upstream: Upstream, name: str) -> Comparison:
    database = stack.project.environment.snowflake.database
    raw = f"{database}.RAW.{name.upper()}"
    newest = ""
    if stack.project.catalogue[name].write_disposition == "replace":
        # a run of each day, of which the newest is what upstream has now
        newest = str(stack.warehouse(f"SELECT MAX(_RUN_ID) FROM {raw}")[0][0])
    rows = stack.warehouse(
        f"SELECT PAYLOAD FROM {raw} WHERE STARTSWITH(_RUN_ID, '{newest}')"
    )
    return compare(
        name,
        upstream=released(upstream.tables[name]),
        landed_records=landed(
            stack.cloud.client("s3"), stack.bucket(), name, of_run=newest
        ),
        table_records=[canonical(orjson.loads(row[0])) for row in rows],
        primary_key="id",
    )


def _story_faults(diary: Diary) -> list[str]:
    """What the story demands of the messages, and did not get."""
    told = [(one.mail.audience, one.mail.subject) for one in diary.told]
    pages = [subject for _, subject in told if subject.startswith("[page]")]
    faults = []
    if not any(audience == "stakeholders" for audience, _ in told):
        faults.append(f"{QUIET.cause}: no stakeholder was told")
    if not any(PAUSED.dataset in subject for subject in pages):
        faults.append(f"{PAUSED.cause}: no engineer was paged")
    if len(pages) > 1:
        faults.append(f"{len(pages)} pages, and one was due: {json.dumps(pages)}")
    recoveries = [subject for _, subject in told if "up to date again" in subject]
    if not recoveries:
        faults.append("nobody was told of the recovery")
    faults += [
        f"nobody was told {what!r}"
        for what in (HELD_BACK, f"{HALVED}: its checks pass again")
        if not any(what in one.mail.body for one in diary.told)
    ]
    kinds = {one.mail.kind for one in diary.told}
    faults += [
        f"no {kind} was told" for kind in ("digest", "causes") if kind not in kinds
    ]
    return faults


def _checks(stack: EmbeddedStack) -> list[tuple[str, QualityResult]]:
    """The newest result of each check, of the datasets and then of the models."""
    table = CheckTable(
        dynamodb=stack.cloud.client("dynamodb"), table=stack.state_table()
    )
    catalogue = stack.project.catalogue
    return [
        (name, one)
        for name in (*catalogue.datasets, *catalogue.models)
        if (found := table.results(name)) is not None
        for one in found.results
    ]


def _check_faults(checks: Sequence[tuple[str, QualityResult]]) -> list[str]:
    """All checks pass but one, which the data fail as they are."""
    wrong = {(of, one.check): one for of, one in checks if one.state != "pass"}
    faults = [
        f"{of}: {one.sentence}" for (of, _), one in wrong.items()
        if (of, one.check) != BY_RIGHT
    ]  # fmt: skip
    if BY_RIGHT not in wrong:
        faults.append(f"{' '.join(BY_RIGHT)} passes, and should fail")
    return faults


def _totals(
    stack: EmbeddedStack, comparisons: Sequence[Comparison], diary: Diary
) -> list[tuple[str, object]]:
    checks = stack.answers("freshness")
    return [
        ("pulls", stack.pulls()),
        ("rows released upstream", sum(one.upstream for one in comparisons)),
        ("rows landed", sum(one.landed for one in comparisons)),
        ("rows in the tables", sum(one.table for one in comparisons)),
        ("files loaded by Snowpipe", stack.fabric.counters.files),
        ("freshness checks", len(checks)),
        ("checks that asked the warehouse", sum(one["wake_ups"] for one in checks)),
        ("statements of checks", sum(one["statements"] for one in checks)),
        ("messages to people", len(diary.told)),
        ("messages to Slack", len(stack.slack.posts)),
    ]


if __name__ == "__main__":
    sys.exit(main())
