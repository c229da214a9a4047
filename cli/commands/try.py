"""Try the project on an embedded AWS and Snowflake: no account, no Docker, no token.

The same templates, functions and roles as a deploy, against the APIs of the YAML:
each dataset is pulled once, loaded and judged, then the tables and messages are shown.
Secrets are read from the environment, as `catflap pull` reads them. Ends with 1 if
something is late, failed or unknown.

Example: catflap try cats --sql 'select count(*) from analytics.cats'
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli import options
from cli.commands.diagnose import as_text
from cli.commands.incident import as_document
from cli.commands.pull import run_document
from cli.deployed.diagnosis import judged
from cli.deployed.environment import Deployed
from cli.deployed.local import LOCAL
from cli.one_machine.environment_secrets import variable_of
from cli.output import iso, when
from cli.rows import rows_as_json, rows_as_table
from cli.trial.progress import StepLines
from cli.trial.stay import Standing, reached_of
from cli.trial.times import Times, times_of
from lambdas.adapters.environment import variables
from local.status_page import page_of
from local.trial.live import UpstreamClocks, live_through
from local.trial.project import ProjectFolders, chosen, lay_out
from local.trial.trial import Rows, Trial, TriedDataset
from local.trial.workspace import FOLDER, leftovers, remove, workspace
from project.fault import printable
from project.yaml_files import load_catalogue, load_datasets

WELL, NOT_WELL = 0, 1
PAGE, INBOX = "page.html", "inbox.html"

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Datasets to try; without, all of them."),
]
Sql = Annotated[
    list[str] | None,
    typer.Option("--sql", metavar="SQL", help="Ask the tables when all is done."),
]
Keep = Annotated[
    bool, typer.Option("--keep", help="Keep the folder: logs, templates, messages.")
]
Clean = Annotated[
    bool, typer.Option("--clean", help="Remove what earlier ones kept, and end.")
]


Stay = Annotated[
    bool,
    typer.Option(
        "--stay", help="Stay up until Ctrl-C; other commands take --env local."
    ),
]
For = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="P1D",
        help="Let the schedules live through so long; for APIs that follow a clock.",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(metavar="ISO", help="When that time begins; without, now."),
]
Speed = Annotated[
    float,
    typer.Option(min=0.1, max=3600, help="With --stay: so many times as fast."),
]


def run(
    names: Names = None,
    *,
    lasting: For = None,
    start: Start = None,
    sql: Sql = None,
    stay: Stay = False,
    speed: Speed = 1.0,
    keep: Keep = False,
    clean: Clean = False,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    environments: options.Environments = options.ENVIRONMENTS,
    as_json: options.Json = False,
) -> int:
    """Returns 0 if all is well, 1 if not. Raises BadInput, BadFiles."""
    if clean:
        return _clean()
    times = times_of(lasting, start, speed, stay=stay)
    folders = ProjectFolders(datasets=datasets, apis=apis, environments=environments)
    catalogue = (
        load_datasets(names, datasets=datasets, apis=apis)
        if names
        else load_catalogue(datasets, apis)
    )
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    _sweep(console)
    began = datetime.now(UTC)
    with workspace(FOLDER, now=began, keep=keep) as folder:
        wanted = chosen(catalogue, names or ())
        project = lay_out(folder / "project", folders, catalogue, wanted)
        clocks = UpstreamClocks(project)
        if times.start is not None:
            clocks.refuse_others()
            clocks.set(times.start)
        with (
            StepLines(console) as progress,
            Trial(
                project=project,
                folder=folder,
                sources=folders.sources,
                value_of=_secret,
                report=progress.report,
                start=times.start,
            ) as trial,
        ):
            for name, key in trial.missing_secrets:
                variable = variable_of(name, key)
                progress.say(f"{variable} is not set: export {variable}=…")
            _live(trial, wanted, times, clocks, progress)
            progress.stop()
            clock = times.clock(speed)
            standing = Standing(
                trial=trial,
                folders=folders,
                names=wanted,
                clock=clock,
                clocks=clocks,
                console=console,
            )
            if stay and times.has_only_begun:
                standing.until_interrupted()
                return WELL
            outcome = Outcome(trial, wanted, sql or (), began=began, ended=clock.now())
            reached = reached_of(trial, clock)
            outcome.judge(reached, datasets=datasets, apis=apis)
            trial.stack.slack.write(FOLDER / INBOX)
            page = page_of(trial.stack, now=clock.now())
            (FOLDER / PAGE).write_text(page)
            if as_json and not stay:
                files = {"page": str(FOLDER / PAGE), "inbox": str(FOLDER / INBOX)}
                print(json.dumps(outcome.document(files)))
            else:
                outcome.show(console)
            if stay:
                standing.until_interrupted()
                return WELL
    if keep:
        console.print(f"\nKept {folder}; `catflap try --clean` removes it.")
    return WELL if outcome.is_well else NOT_WELL


def _live(
    trial: Trial,
    names: Sequence[str],
    times: Times,
    clocks: UpstreamClocks,
    progress: StepLines,
) -> None:
    """Pull each dataset once and judge, or let the schedules do it."""
    if times.end is not None:
        progress.through(live_through(trial, clocks, end=times.end), times)
    elif times.start is None:
        for name in names:
            trial.wake(name)
        trial.check()


def _secret(name: str, key: str) -> str | None:
    return variables().get(variable_of(name, key))


def _clean() -> int:
    found = leftovers(FOLDER)
    for one in found:
        remove(one)
        print(f"removed {one.path}")
    for name in (PAGE, INBOX):
        (FOLDER / name).unlink(missing_ok=True)
    if not found:
        print("nothing is left of earlier ones")
    return WELL


def _sweep(console: Console) -> None:
    """Remove what was left by one that was killed."""
    for one in leftovers(FOLDER):
        if not one.is_kept:
            remove(one)
            console.print(
                f"Removed {one.path}: process {one.pid}, started {one.started_at}, is "
                "gone.",
                style="dim",
            )


class Outcome:
    """What came of a trial, for a person and for a script."""

    def __init__(
        self,
        trial: Trial,
        names: Sequence[str],
        queries: Sequence[str],
        *,
        began: datetime,
        ended: datetime,
    ) -> None:
        self._trial = trial
        self._began = began
        self._ended = ended
        self._tried = [trial.tried(name) for name in names]
        self._answers = [(query, _asked(trial, query)) for query in queries]
        self._verdicts: dict[str, str] = {}

    @property
    def is_well(self) -> bool:
        """Whether nothing is late, failed or unknown."""
        return all(
            one.state == "pass" and not one.has_failed for one in self._tried
        ) and all(not isinstance(answer, str) for _, answer in self._answers)

    def judge(self, reached: Deployed, *, datasets: Path, apis: Path) -> None:
        """Say where the data stopped, of what is not well."""
        ill = [one for one in self._tried if one.state != "pass" or one.has_failed]
        for one in ill:
            name = one.dataset.name
            found = judged(name, reached, datasets=datasets, apis=apis)
            self._verdicts[name] = as_text(found.verdict)

    def document(self, files: Mapping[str, str]) -> dict[str, object]:
        """For scripts. `files` are what stays: the page, and the messages."""
        return {
            "environment": LOCAL,
            "started_at": iso(self._began),
            "ended_at": iso(self._ended),
            "ok": self.is_well,
            "datasets": [_dataset_document(one) for one in self._tried],
            "models": [],
            "checks": [],
            "incidents": [
                as_document(one, self._ended) for one in self._trial.incidents()
            ],
            "messages": [
                {
                    "at": iso(one.at),
                    "audience": one.mail.audience,
                    "channel": one.channel,
                    "kind": one.mail.kind,
                    "page": one.mail.page,
                    "headline": one.mail.subject,
                    "text": one.mail.body,
                }
                for one in self._trial.messages
            ],
            "sql": [
                {"query": query, "columns": [], "rows": [], "error": answer}
                if isinstance(answer, str)
                else {"query": query, **rows_as_json(answer.columns, answer.rows)}
                for query, answer in self._answers
            ],
            "files": dict(files),
        }

    def show(self, console: Console) -> None:
        """For a person."""
        for one in self._tried:
            console.print()
            state = _state(one)
            console.print(
                f"{one.dataset.name}: {state}, {one.rows_landed:,} rows landed, "
                f"{_known(one.rows_in_table)} in the table, "
                f"{_known(one.rows_in_relation)} shown; "
                f"newest {when(one.watch.newest_at if one.watch else None)}",
                markup=False,
            )
            if one.relation is not None and one.relation.rows:
                console.print(_shown(one.relation, console.width))
            verdict = self._verdicts.get(one.dataset.name)
            if verdict:
                console.print(verdict, markup=False)
        for query, answer in self._answers:
            console.print(f"\n{query}", markup=False)
            console.print(
                printable(answer)
                if isinstance(answer, str)
                else _shown(answer, console.width)
            )
        for sent in self._trial.messages:
            console.print(
                f"\nto {sent.mail.audience}: {printable(sent.mail.subject)}",
                markup=False,
            )
            for line in sent.mail.body.split("\n"):
                console.print(f"  {printable(line)}", markup=False)
        if not self._trial.messages:
            console.print("\nNobody had to be told anything.")


def _asked(trial: Trial, query: str) -> Rows | str:
    try:
        return trial.query(query)
    except Exception as error:  # noqa: BLE001 - the person's SQL, and its error
        return f"{error}"


def _dataset_document(one: TriedDataset) -> dict[str, object]:
    return {
        "dataset": one.dataset.name,
        "state": one.state,
        "cause": one.watch.cause if one.watch else None,
        "at_risk": False,
        "rows_landed": one.rows_landed,
        "rows_in_table": one.rows_in_table,
        "rows_in_relation": one.rows_in_relation,
        "newest_at": iso(one.watch.newest_at) if one.watch else None,
        "runs": [run_document(result) for result in one.results],
    }


def _state(one: TriedDataset) -> str:
    if one.has_failed:
        return "PULL FAILED"
    return "well" if one.state == "pass" else one.state.upper()


def _known(count: int | None) -> str:
    return "not known" if count is None else f"{count:,}"


def _shown(answer: Rows, width: int) -> Table:
    return rows_as_table(answer.columns, answer.rows, width=width)
