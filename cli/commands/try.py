"""Try the project on an embedded AWS and Snowflake: no account, no Docker, no token.

The same templates, functions and roles as a deploy, against the APIs of the YAML:
each dataset is pulled once, loaded and judged, then the tables and messages are shown.
Secrets are read from the environment, as `catflap pull` reads them. Ends with 1 if
something is late, failed or unknown.

Example: catflap try cats --sql 'select count(*) from analytics.cats'
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from cli import options
from cli.one_machine.environment_secrets import variable_of
from cli.trial.choice import Choice
from cli.trial.outcome import Outcome
from cli.trial.progress import StepLines
from cli.trial.stay import Standing, interrupted_by_sigterm, reached_of
from cli.trial.times import Times, times_of
from lambdas.adapters.environment import variables
from lambdas.core.errors import BadInput
from local.status_page import page_of
from local.trial.kept_state import KeptState
from local.trial.live import TrialClock, UpstreamClocks, live_through
from local.trial.project import ProjectFolders
from local.trial.trial import Trial
from local.trial.workspace import FOLDER, leftovers, remove, workspace

WELL, NOT_WELL = 0, 1
PAGE, INBOX, STATE = FOLDER / "page.html", FOLDER / "inbox.html", FOLDER / "local"

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Datasets to try; all if none is named."),
]
Sql = Annotated[
    list[str] | None,
    typer.Option("--sql", metavar="SQL", help="Query the tables at the end."),
]
Keep = Annotated[
    bool, typer.Option("--keep", help="Keep the folder: logs, templates, messages.")
]
Clean = Annotated[
    bool,
    typer.Option("--clean", help="Remove what earlier ones kept in .catflap, and end."),
]
Stay = Annotated[
    bool,
    typer.Option(
        "--stay", help="Stay up until Ctrl-C; other commands take --env local."
    ),
]
Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh", help="With --stay: start over, not where the last one ended."
    ),
]
For = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="P1D",
        help="Run the schedules over this much simulated time; for APIs that follow "
        "a clock.",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(metavar="ISO", help="When that time begins; now if absent."),
]
Speed = Annotated[
    float,
    typer.Option(
        metavar="N",
        min=0.1,
        max=3600,
        help="With --stay: let time pass this many times as fast.",
    ),
]


def run(
    names: Names = None,
    *,
    lasting: For = None,
    start: Start = None,
    sql: Sql = None,
    stay: Stay = False,
    speed: Speed = 1.0,
    fresh: Fresh = False,
    keep: Keep = False,
    clean: Clean = False,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    models: options.Models = None,
    environments: options.Environments = options.ENVIRONMENTS,
    as_json: options.Json = False,
) -> int:
    """Returns 0 if all is well, 1 if not. Raises BadInput, BadFiles."""
    if clean:
        return _clean()
    times = times_of(lasting, start, speed, stay=stay)
    if fresh and not stay:
        raise BadInput("--fresh goes with --stay, which alone keeps its state")
    folders = ProjectFolders(
        datasets=datasets,
        apis=apis,
        environments=environments,
        models=options.models_of(datasets, models),
    )
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    began = datetime.now(UTC)
    with ExitStack() as opened:
        opened.enter_context(interrupted_by_sigterm())
        kept = opened.enter_context(_kept_state(fresh=fresh)) if stay else None
        if kept is not None:
            times = times.going_on(kept.moment())
        progress = opened.enter_context(StepLines(console))
        choice = Choice(
            names=names or (), folders=folders, is_real_time=times.start is None
        )
        trial = opened.enter_context(_deployed(choice, times, progress, keep=keep))
        if kept is not None:
            trial.go_on(kept, now=times.start)
        clocks = UpstreamClocks(trial.project)
        _live(trial, times, clocks, progress)
        clock = times.clock(speed)
        outcome = None
        if not (stay and times.has_only_begun):
            outcome = Outcome(trial, sql or (), began=began, ended=clock.now())
            reached = reached_of(trial, clock)
            outcome.judge(reached, datasets=datasets, apis=apis)
            _tell(outcome, trial, clock, console, as_json=as_json and not stay)
        if kept is not None:
            Standing(
                trial=trial,
                choice=choice,
                clock=clock,
                clocks=clocks,
                console=console,
                kept=kept,
            ).until_interrupted()
            return WELL
    if keep:
        console.print(f"\nKept {trial.folder}; `catflap try --clean` removes it.")
    return WELL if outcome is not None and outcome.is_well else NOT_WELL


@contextmanager
def _deployed(
    choice: Choice, times: Times, progress: StepLines, *, keep: bool
) -> Iterator[Trial]:
    """The stack with the project, and nothing lived through yet."""
    _sweep(progress)
    with workspace(FOLDER, now=datetime.now(UTC), keep=keep) as folder:
        laid_out = choice.lay_out(folder / "project")
        warned, refused = choice.findings(datetime.now(UTC))
        for fault in (*warned, *refused):
            print(fault, file=sys.stderr)
        if refused:
            progress.say(
                "`catflap check` refuses these promises; `catflap try` goes on."
            )
        if times.start is not None:
            clocks = UpstreamClocks(laid_out)
            clocks.refuse_others()
            clocks.set(times.start)
        with Trial(
            project=laid_out,
            folder=folder,
            sources=choice.folders.sources,
            value_of=_secret,
            report=progress.report,
            start=times.start,
        ) as trial:
            for name, key in trial.missing_secrets:
                variable = variable_of(name, key)
                progress.say(f"{variable} is not set: export {variable}=…")
            yield trial


@contextmanager
def _kept_state(*, fresh: bool) -> Iterator[KeptState]:
    """The state of the last one that stayed up, in this one's hands."""
    kept = KeptState(STATE)
    with kept.held():
        if fresh:
            kept.forget()
        yield kept


def _live(
    trial: Trial, times: Times, clocks: UpstreamClocks, progress: StepLines
) -> None:
    """Pull each dataset once and judge, or let the schedules do it."""
    if times.end is not None:
        progress.through(live_through(trial, clocks, end=times.end), times)
    elif times.start is None:
        for name in trial.names:
            trial.wake(name)
        trial.check()
    progress.stop()


def _tell(
    outcome: Outcome,
    trial: Trial,
    clock: TrialClock,
    console: Console,
    *,
    as_json: bool,
) -> None:
    """Print what came of it, and leave the page and the messages as files."""
    trial.stack.slack.write(INBOX)
    PAGE.write_text(page_of(trial.stack, now=clock.now()))
    if as_json:
        files = {"page": str(PAGE), "inbox": str(INBOX)}
        print(json.dumps(outcome.document(files)))
    else:
        outcome.show(console)


def _secret(name: str, key: str) -> str | None:
    return variables().get(variable_of(name, key))


def _clean() -> int:
    found = leftovers(FOLDER)
    for one in found:
        remove(one)
        print(f"removed {one.path}")
    if STATE.exists():
        kept = KeptState(STATE)
        with kept.held():
            shutil.rmtree(STATE)
        print(f"removed {STATE}")
    elif not found:
        print("nothing is left of earlier ones")
    for path in (PAGE, INBOX):
        path.unlink(missing_ok=True)
    return WELL


def _sweep(progress: StepLines) -> None:
    """Remove what was left by one that was killed."""
    for one in leftovers(FOLDER):
        if not one.is_kept:
            remove(one)
            progress.say(
                f"Removed {one.path}: process {one.pid}, started {one.started_at}, is "
                "gone."
            )
