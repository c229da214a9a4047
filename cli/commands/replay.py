"""Load what landed but did not load; safe to repeat.

Without an option it resumes the pipe if it is paused, has it load the objects it was
not notified of, lands again what failed to load, and queues dead letters again. Exits
with 1 if something is left that needs a person.

Example: catflap replay flights; catflap replay flights --fixed fixed.ndjson
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli import options
from cli.deployed.environment import now
from cli.deployed.tools import TRIES_BY_HAND, RepairTools, repair_tools
from lambdas.adapters.redrive import DeadLetterQueue
from lambdas.adapters.snowflake.load_history import load_records
from lambdas.adapters.subscriptions import Subscriptions
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import BadInput, WarehouseError
from lambdas.core.landing.names import RAW, raw_name
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.loading.refusal import why_refused
from lambdas.core.loading.repair import Problem, Repaired, RetryState
from lambdas.core.loading.status import HISTORY_REACH
from lambdas.core.names import pulls_queue_name
from lambdas.core.pull.run import LandedRun
from lambdas.core.repair.case import RepairContext
from lambdas.core.repair.notifications import LandingNotifications
from lambdas.core.repair.reconciler import reconcile
from lambdas.core.sql import generation, names
from lambdas.core.text.count import counted
from project.fault import printable

DONE, NOT_WELL = 0, 1
RECORDS = 100_000


class _Fixed(msgspec.Struct, frozen=True):
    quarantined: str
    record: msgspec.Raw


@dataclass(slots=True, kw_only=True)
class ReplayOutcome:
    """What was done for one dataset."""

    dataset: str
    resumed: bool = False
    refreshed: int = 0
    landed_again: int = 0
    settled: int = 0
    replayed: list[dict[str, object]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    redriven: int = 0
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """For scripts."""
        return {
            "dataset": self.dataset,
            "resumed": self.resumed,
            "refreshed": self.refreshed,
            "landed_again": self.landed_again,
            "loaded": self.settled,
            "replayed": self.replayed,
            "refused_again": self.refused,
            "redriven": self.redriven,
            "troubles": self.problems,
        }


class _OneDataset:
    """The awaited loads of one dataset: what landed lately, whatever was recorded."""

    def __init__(self, *, known: RepairTools, runs: Sequence[LandedRun]) -> None:
        self._known = known
        self._runs = runs
        self.problems_found: Sequence[Problem] = ()

    def landed(self) -> Sequence[LandedRun]:
        return self._runs

    def retries(self) -> dict[str, RetryState]:
        return {}

    def remember(self, retry: RetryState) -> None:
        del retry

    def forget(self, dataset: str) -> None:
        self._known.watch.forget(dataset)

    def watch(self, run: LandedRun) -> None:
        self._known.watch.watch(run)

    def settle(self, run: LandedRun, repaired: Sequence[Repaired]) -> None:
        self._known.watch.settle(run, repaired)

    def problems(self) -> Sequence[Problem]:
        return ()

    def record_problems(
        self, before: Sequence[Problem], after: Sequence[Problem]
    ) -> None:
        del before
        self.problems_found = after


def run(
    asked: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Names of datasets.")
    ],
    *,
    quarantined: Annotated[
        bool,
        typer.Option(
            "--quarantined", help="Land the rows in quarantine again, as they are."
        ),
    ] = False,
    fixed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Land corrected rows: lines of `quarantine --rows`, `record` changed.",
        ),
    ] = None,
    dead_letters: Annotated[
        bool,
        typer.Option("--dead-letters", help="Queue dead letters again, nothing else."),
    ] = False,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Replay what the options say, or, without any, all but quarantined rows.

    Ends with 1 if something is left that needs a person. Raises BadInput, NotReached,
    WarehouseError, LandingError.
    """
    if fixed is not None and len(asked) > 1:
        raise BadInput(f"--fixed is of one dataset; {len(asked)} names came")
    if fixed is not None and quarantined:
        raise BadInput("one of --quarantined and --fixed FILE is accepted; both came")
    records = None if fixed is None else _read_fixed(fixed)
    outcomes = []
    with repair_tools(
        asked,
        environment=environment,
        environments=environments,
        datasets=datasets,
        apis=apis,
    ) as known:
        chosen = [known.catalogue[name] for name in asked]
        for dataset in chosen:
            outcome = ReplayOutcome(dataset=dataset.name)
            _say(f"{dataset.name}: checking what has landed")
            if quarantined or records is not None:
                _replay_rows(known, dataset, records, outcome)
            elif not dead_letters:
                _resume(known, dataset, outcome)
                _reconcile(known, dataset, outcome)
            if dead_letters or not (quarantined or records is not None):
                _redrive(known, dataset, outcome)
            outcomes.append(outcome)
    if as_json:
        print(json.dumps({"datasets": [one.to_json() for one in outcomes]}))
    else:
        print("\n".join(_as_text(one) for one in outcomes))
    return NOT_WELL if any(one.problems or one.refused for one in outcomes) else DONE


def _say(text: str) -> None:
    """Progress, for whoever sits before a terminal."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def _read_fixed(path: Path) -> dict[str, bytes]:
    """Record by quarantined row. Raises BadInput with every fault, a line each."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    found: dict[str, bytes] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = msgspec.json.decode(line, type=_Fixed)
        except msgspec.DecodeError as error:
            faults.append(
                f"{path}:{number}: {error}; accepted: the lines of `catflap quarantine "
                "NAME --rows`, with `record` corrected"
            )
            continue
        record = bytes(one.record).strip()
        why = why_refused(record)
        if why is not None or not record.startswith(b"{"):
            said = why or "it is not a JSON object"
            faults.append(
                f"{path}:{number}: record: it would be refused again: {said}; "
                "accepted: a JSON object that Snowflake takes"
            )
        elif one.quarantined in found:
            faults.append(
                f"{path}:{number}: quarantined: {one.quarantined} is there "
                "twice; accepted: each row once"
            )
        found[one.quarantined] = record
    if faults:
        raise BadInput("\n".join(faults))
    if not found:
        raise BadInput(f"{path}: no row; accepted: one JSON object a line")
    return found


def _replay_rows(
    known: RepairTools,
    dataset: Dataset,
    fixed: dict[str, bytes] | None,
    outcome: ReplayOutcome,
) -> None:
    if fixed is not None:
        rows = {row.name for row in known.replaying.rows(dataset)}
        unknown = sorted(fixed.keys() - rows)
        if unknown:
            raise BadInput(
                f"{unknown[0]} is not a row in the quarantine of {dataset.name}; "
                f"accepted: those of `catflap quarantine {dataset.name} --rows`"
            )
    replay = known.replaying.replay(dataset, fixed, now=now())
    outcome.replayed = [{"key": one.key, "rows": one.rows} for one in replay.landed]
    outcome.refused = dict(replay.refused)


def _resume(known: RepairTools, dataset: Dataset, outcome: ReplayOutcome) -> None:
    pipe = names.pipe(known.database, dataset.name, generation(dataset))
    if known.pipes.now(pipe).is_running:
        return
    try:
        known.pipes.resume(pipe, force=False)
    except WarehouseError:
        # paused for more than 14 days; if it is something else, this says so
        known.pipes.resume(pipe, force=True)
    outcome.resumed = True


def _reconcile(known: RepairTools, dataset: Dataset, outcome: ReplayOutcome) -> None:
    moment = now()
    watch = _OneDataset(known=known, runs=_runs_of(known, dataset, moment))
    settings = known.reached.settings

    def history(name: str, since: datetime) -> list[LoadRecord]:
        return load_records(known.warehouse, known.database, name, since, limit=RECORDS)

    channel_known = Subscriptions(
        sns=known.reached.aws("sns"), topic_arn=known.reached.landed_topic()
    )
    context = RepairContext(
        catalogue=Catalogue(datasets={dataset.name: dataset}),
        database=settings.snowflake_database,
        watch=watch,
        pipes=known.pipes,
        warehouse=known.warehouse,
        history=history,
        stored=known.stored,
        reloader=known.relanding,
        notifications=LandingNotifications(bucket=known.stored, topic=channel_known),
        grace=timedelta(0),
        every=timedelta(minutes=1),
        max_attempts=TRIES_BY_HAND,
        now=moment,
    )
    result = reconcile(context, has_time=lambda: True)
    outcome.refreshed, outcome.landed_again = result.refreshed, result.landed_again
    outcome.settled = result.settled
    outcome.problems = [
        f"{one.name}: {one.sentence}; {one.next_step}" for one in watch.problems_found
    ]


def _runs_of(known: RepairTools, dataset: Dataset, moment: datetime) -> list[LandedRun]:
    """Every run of which an object landed within the history's reach."""
    runs: dict[tuple[str, int], LandedRun] = {}
    for item in known.stored.below(f"{RAW}{dataset.name}/"):
        name = raw_name(item.key)
        if name is None or moment - item.modified_at > HISTORY_REACH:
            continue
        runs[name.run_id, name.generation] = LandedRun(
            dataset=dataset.name,
            run_id=name.run_id,
            newest_key=item.key,
            objects=0,
            landed_at=item.modified_at,
        )
    awaited = {
        (run.run_id, one.generation): run
        for run in known.watch.landed()
        if run.dataset == dataset.name and (one := raw_name(run.newest_key)) is not None
    }
    return list({**runs, **awaited}.values())


def _redrive(known: RepairTools, dataset: Dataset, outcome: ReplayOutcome) -> None:
    environment = known.reached.environment.name
    queue = DeadLetterQueue(
        sqs=known.reached.aws("sqs"),
        dead=f"catflap-{environment}-ingestion-DeadPulls",
        back_to=pulls_queue_name(environment),
    )
    outcome.redriven = queue.redrive(dataset.name)


def _as_text(one: ReplayOutcome) -> str:
    done = []
    if one.resumed:
        done.append("its pipe is resumed")
    if one.refreshed:
        done.append(f"Snowpipe was asked to load {counted(one.refreshed, 'file')}")
    if one.landed_again:
        done.append(
            f"landed {counted(one.landed_again, 'file')} again that failed to load"
        )
    if one.replayed:
        rows = sum(int(str(each["rows"])) for each in one.replayed)
        done.append(f"{rows} quarantined rows have landed again")
    if one.redriven:
        done.append(f"{one.redriven} dead letters are queued again")
    lines = [f"{one.dataset}: {'; '.join(done) or 'there is nothing to replay'}"]
    if one.refused:
        name, why = next(iter(one.refused.items()))
        lines.append(
            f"  would be refused again, and stay: "
            f"{counted(len(one.refused), 'row')}, such as "
            f"{name}: {printable(why)}; correct the rows that `catflap quarantine "
            f"{one.dataset} --rows` prints, then `catflap replay {one.dataset} --fixed "
            "FILE`"
        )
    lines += [f"  left: {printable(problem)}" for problem in one.problems]
    return "\n".join(lines)
