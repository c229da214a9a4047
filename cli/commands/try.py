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
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

from cli.commands.diagnose import as_text
from cli.commands.incident import as_document
from cli.commands.pull import run_document
from cli.deployed.diagnosis import judged
from cli.deployed.environment import Deployed, reached_in
from cli.deployed.local import FILE, LOCAL, LocalStack
from cli.one_machine.environment_secrets import variable_of
from cli.options import APIS, DATASETS, ENVIRONMENTS, Apis, Datasets, Environments, Json
from cli.output import iso, when
from cli.rows import rows_as_json, rows_as_table
from lambdas.adapters.environment import variables
from lambdas.core.errors import CatflapError
from local.aws.resources.registry import DeployFailed
from local.loopback import Answer, Asked, LoopbackServer
from local.scenarios.status_page import page
from local.stack import SynthFailedError
from local.trial.live import FileWatch, TrialClock, live
from local.trial.project import ProjectFolders, chosen, lay_out
from local.trial.trial import Rows, Step, Trial, TriedDataset
from local.trial.workspace import FOLDER, OWNER, leftovers, remove, workspace
from project.fault import printable
from project.yaml_files import load_catalogue, load_datasets

WELL, NOT_WELL = 0, 1

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


def run(
    names: Names = None,
    *,
    sql: Sql = None,
    stay: Stay = False,
    keep: Keep = False,
    clean: Clean = False,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    environments: Environments = ENVIRONMENTS,
    as_json: Json = False,
) -> int:
    """Returns 0 if all is well, 1 if not. Raises BadInput, BadFiles."""
    if clean:
        return _clean()
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
        with (
            _Progress(console) as progress,
            Trial(
                project=project,
                folder=folder,
                sources=folders.sources,
                value_of=_secret,
                report=progress.report,
            ) as trial,
        ):
            for name, key in trial.missing_secrets:
                variable = variable_of(name, key)
                progress.say(f"{variable} is not set: export {variable}=…")
            for name in wanted:
                trial.wake(name)
            trial.check()
            progress.stop()
            outcome = _Outcome(trial, wanted, sql or (), began=began, folder=folder)
            outcome.judge(datasets, apis)
            if keep:
                trial.stack.slack.write(folder / "inbox.html")
            if stay:
                outcome.show(console)
                return _stay(console, trial, folders, wanted, folder)
            if as_json:
                print(json.dumps(outcome.document(kept=keep)))
            else:
                outcome.show(console)
        if keep:
            console.print(f"\nKept {folder}; `catflap try --clean` removes it.")
    return WELL if outcome.is_well else NOT_WELL


def _stay(
    console: Console,
    trial: Trial,
    folders: ProjectFolders,
    names: Sequence[str],
    folder: Path,
) -> int:
    """Let schedules tick until Ctrl-C."""
    began = datetime.now(UTC)
    clock = TrialClock(start=began, began_at=began)
    table = trial.incident_table()

    def render(_: Asked) -> Answer:
        shown = page(names, table.watches(), table.incidents(), now=clock.now())
        html = {"Content-Type": "text/html; charset=utf-8"}
        return Answer(body=shown.encode(), headers=html)

    def redeploy() -> None:
        console.print(_redeployed(trial, folders, names, folder), markup=False)

    watch = FileWatch((folders.datasets, folders.apis, folders.environments))
    with LoopbackServer(render) as status:
        pages = {"status page": status.url, "Slack look-alike": trial.stack.slack.url}
        stack = _local_stack(trial, folder, clock, pages)
        stack.write()
        console.print()
        for name, url in pages.items():
            console.print(f"{name + ':':<18}{url}", markup=False)
        console.print(
            "In another terminal every command takes --env local, such as\n"
            f"  catflap status --env local\n  catflap pull {names[0]} --env local\n"
            "Ctrl-C ends it."
        )
        try:
            for sent in live(trial, clock, redeploy=redeploy, watch=watch):
                for one in sent:
                    headline = printable(one.mail.subject)
                    at = f"{one.at:%H:%M}"
                    console.print(f"{at} {one.mail.audience}: {headline}", markup=False)
        except KeyboardInterrupt:
            console.print("ended")
        finally:
            FILE.unlink(missing_ok=True)
    return WELL


def _redeployed(
    trial: Trial, folders: ProjectFolders, names: Sequence[str], folder: Path
) -> str:
    """Deploy the changed files; what came of it, in a line."""
    try:
        catalogue = load_datasets(names, datasets=folders.datasets, apis=folders.apis)
        made = folder / f"deploy-{len(list(folder.glob('deploy-*'))) + 1}"
        project = lay_out(made / "project", folders, catalogue, names)
        changed = trial.deploy(project, made)
    except (CatflapError, SynthFailedError, DeployFailed) as error:
        return f"The changed YAML is not deployed:\n{error}"
    what = ", ".join(changed) or "nothing but the datasets"
    return f"Deployed the changed YAML: {what}"


def _secret(name: str, key: str) -> str | None:
    return variables().get(variable_of(name, key))


def _clean() -> int:
    found = leftovers(FOLDER)
    for one in found:
        remove(one)
        print(f"removed {one.path}")
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


class _Progress:
    """A line for each step, and a spinner beside the one that goes on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def report(self, step: Step) -> None:
        """A step begins, or it is done."""
        self.stop()
        if step.seconds:
            self.say(f"  {step.what:<28}{step.outcome}  ({step.seconds:.1f} s)")
        elif self._console.is_terminal:
            self._status = self._console.status(f"{step.what} …")
            self._status.start()

    def say(self, text: str) -> None:
        """A line."""
        self._console.print(printable(text), markup=False)

    def stop(self) -> None:
        """No step goes on."""
        if self._status is not None:
            self._status.stop()
            self._status = None


class _Outcome:
    """What came of a trial, for a person and for a script."""

    def __init__(
        self,
        trial: Trial,
        names: Sequence[str],
        queries: Sequence[str],
        *,
        began: datetime,
        folder: Path,
    ) -> None:
        self._trial = trial
        self._began = began
        self._folder = folder
        self._tried = [trial.tried(name) for name in names]
        self._answers = [(query, _asked(trial, query)) for query in queries]
        self._verdicts: dict[str, str] = {}

    @property
    def is_well(self) -> bool:
        """Whether nothing is late, failed or unknown."""
        return all(
            one.state == "pass" and not one.has_failed for one in self._tried
        ) and all(not isinstance(answer, str) for _, answer in self._answers)

    def judge(self, datasets: Path, apis: Path) -> None:
        """Say where the data stopped, of what is not well."""
        ill = [one for one in self._tried if one.state != "pass" or one.has_failed]
        if not ill:
            return
        reached = _reached(self._trial, self._folder)
        for one in ill:
            name = one.dataset.name
            found = judged(name, reached, datasets=datasets, apis=apis)
            self._verdicts[name] = as_text(found.verdict)

    def document(self, *, kept: bool) -> dict[str, object]:
        """For scripts (CONTRACT: `try --json`)."""
        return {
            "environment": LOCAL,
            "started_at": iso(self._began),
            "ended_at": iso(self._trial.now()),
            "ok": self.is_well,
            "datasets": [_dataset_document(one) for one in self._tried],
            "models": [],
            "checks": [],
            "incidents": [as_document(one) for one in self._trial.incidents()],
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
            "files": {
                "page": None,
                "inbox": str(self._folder / "inbox.html") if kept else None,
            },
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
                console.print(_shown(one.relation))
            verdict = self._verdicts.get(one.dataset.name)
            if verdict:
                console.print(verdict, markup=False)
        for query, answer in self._answers:
            console.print(f"\n{query}", markup=False)
            console.print(
                printable(answer) if isinstance(answer, str) else _shown(answer)
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


def _reached(trial: Trial, folder: Path) -> Deployed:
    """The trial's stack as commands reach it."""
    now = trial.now()
    clock = TrialClock(start=now, began_at=now)
    _local_stack(trial, folder, clock, {}).enter()
    return reached_in(folder / "project" / "environments", LOCAL)


def _local_stack(
    trial: Trial, folder: Path, clock: TrialClock, pages: Mapping[str, str]
) -> LocalStack:
    return LocalStack(
        owner=folder / OWNER,
        environments=folder / "project" / "environments",
        variables=trial.variables(),
        began_at=clock.began_at,
        start=clock.start,
        speed=clock.speed,
        pages=pages,
    )


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


def _shown(answer: Rows) -> Table:
    return rows_as_table(answer.columns, answer.rows)
