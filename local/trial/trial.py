"""A project lived through once: deployed, each dataset woken, loaded, judged, told."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from lambdas.adapters.landing.run_files import result_of
from lambdas.adapters.state.checks import CheckTable
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.runs import StateTable
from lambdas.core.dataset import Dataset
from lambdas.core.freshness.model_state import InputState, ModelState, model_state
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.incident import Incident
from lambdas.core.pull.engine import PullResult
from lambdas.core.pull.message import PullRequest
from lambdas.core.pull.run import Run, RunStatus
from lambdas.core.quality.result import DatasetChecks
from lambdas.core.sql import names as sql_names
from lambdas.core.text.count import counted
from local.aws.poller import queue_url
from local.inbox import Mail
from local.stack import PERSON, ROOT, EmbeddedStack, Project, Synthesis
from local.trial.kept_state import KeptMoment, KeptState
from local.trial.project import LOCAL, chosen
from local.trial.secrets import put_secrets

SAMPLE_ROWS = 5
FRESHNESS = "lambdas.freshness.handler.handle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that was done: what, how long it took, and what came of it."""

    what: str
    seconds: float
    outcome: str


Report = Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The first rows of a query."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """A message, when it was read and where."""

    at: datetime
    channel: str
    mail: Mail


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedDataset:
    """What became of one dataset."""

    dataset: Dataset
    results: tuple[PullResult, ...]
    rows_in_table: int | None
    rows_in_relation: int | None
    relation: Rows | None
    watch: Watch | None

    @property
    def state(self) -> str:
        """As the check found it."""
        if self.dataset.schedule.paused is not None:
            return "no_promise"
        if self.watch is None:
            return "unknown"
        is_promised = self.watch.is_promised or self.watch.state != "pass"
        return self.watch.state if is_promised else "no_promise"

    @property
    def rows_landed(self) -> int:
        """Rows that its runs landed."""
        return sum(result.run.rows for result in self.results)

    @property
    def is_at_risk(self) -> bool:
        """Whether it is not late, and has an incident or a newest run that failed."""
        if self.state in {"warn", "error"}:
            return False
        is_watched = self.watch is not None and self.watch.at_risk
        return is_watched or (bool(self.results) and self.has_failed)

    @property
    def is_well(self) -> bool:
        """Whether nothing is late, at risk, failed or unknown."""
        is_on_time = self.state in {"pass", "no_promise"} and not self.is_at_risk
        return is_on_time and not self.has_failed

    @property
    def has_failed(self) -> bool:
        """Whether its newest run failed, or it has none and is not paused."""
        if self.dataset.schedule.paused is not None:
            return False
        newest = self.results[0].run.status if self.results else RunStatus.FAILED
        return newest is not RunStatus.LANDED


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedModel:
    """What became of one model; no rows: it is not there, or cannot be read."""

    state: ModelState
    rows: int | None


@dataclass(kw_only=True)
class Trial:
    """A trial: enter it to deploy, leave it to end all.

    `value_of` gives the value of a secret's name and key, if there is one.
    """

    project: Project
    folder: Path
    sources: Path
    value_of: Callable[[str, str], str | None]
    report: Report
    start: datetime | None = None
    """When its time begins; None: it is the real one."""
    missing_secrets: list[tuple[str, str]] = field(default_factory=list)
    messages: list[SentMessage] = field(default_factory=list)
    _opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._open(opened)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def deploy(self, project: Project, folder: Path) -> list[str]:
        """Deploy a changed project, laid out in `folder`; the addresses that changed.

        Raises SynthFailedError, DeployFailed.
        """
        with closing(
            Synthesis(folder / "cdk.out", root=folder / "project", environment=LOCAL)
        ) as made:
            changed = self.stack.update(project, made.folder())
        self.project = project
        self._put_secrets()
        return changed

    @property
    def names(self) -> list[str]:
        """The datasets, parents first."""
        return chosen(self.project.catalogue, ())

    def go_on(self, kept: KeptState, *, now: datetime | None) -> None:
        """Go on from what is kept, if anything is; it is `now`, or the real time."""
        moment = kept.moment()
        if moment is None:
            return
        with self._step("restore .catflap/local") as done:
            at = now or datetime.now(UTC)
            kept.restore(self.stack, table=self.stack.state_table(), now=at)
            done.append(f"as of {moment.now:%Y-%m-%d %H:%M} UTC")

    def save(self, kept: KeptState, moment: KeptMoment, *, is_last: bool) -> None:
        """Keep what the stack holds. Only while nothing is in flight."""
        kept.save(self.stack, moment, table=self.stack.state_table(), is_last=is_last)

    def wake(self, name: str) -> None:
        """Pull one dataset, and let happen all that follows from it."""
        with self._step(f"pull {name}") as done:
            before = {run.run_id for run in self._runs(name)}
            began = time.monotonic()
            now = datetime.now(UTC)
            self.send(PullRequest(dataset=name, reason="manual", due_at=now))
            self.stack.fabric.drain(now)
            new = [run for run in self._runs(name) if run.run_id not in before]
            done.append(_pulled(new, time.monotonic() - began))

    def send(self, request: PullRequest) -> None:
        """Put a message into the queue of pulls."""
        schedule = next(
            one
            for one in self.stack.deployment.schedules
            if one.name.endswith(f"-{LOCAL}-{request.dataset}")
        )
        self.stack.cloud.client("sqs").send_message(
            QueueUrl=queue_url(self.stack.cloud, schedule.target.arn),
            MessageBody=request.model_dump_json(exclude_none=True),
            MessageGroupId=request.dataset,
        )

    def check(self) -> None:
        """One freshness check, and what it tells."""
        with self._step("judge freshness") as done:
            now = datetime.now(UTC)
            function = self.stack.deployment.function(FRESHNESS)
            self.stack.fabric.invoke_later(function, {"due_at": None}, at=now)
            self.stack.fabric.drain(now)
            sent = self.read_messages(now)
            count = len(sent)
            done.append(counted(count, "message"))

    def read_messages(self, now: datetime) -> list[SentMessage]:
        """What was told since the last time."""
        sent = [
            SentMessage(at=now, channel="sns", mail=mail)
            for mail in self.stack.topics.read()
        ]
        self.messages.extend(sent)
        return sent

    def tried(self, name: str) -> TriedDataset:
        """What became of a dataset so far."""
        dataset = self.project.catalogue.datasets[name]
        s3 = self.stack.cloud.client("s3")
        return TriedDataset(
            dataset=dataset,
            results=tuple(
                result_of(run, s3=s3, bucket=self.stack.bucket())
                for run in self._runs(name)
            ),
            rows_in_table=self._count(
                f"{self.database}.RAW.{sql_names.identifier(name)}"
            ),
            rows_in_relation=self._count(
                f"{self.database}.ANALYTICS.{sql_names.identifier(name)}"
            ),
            relation=self._relation(name),
            watch=self.incident_table().watches().get(name),
        )

    def models(self, now: datetime) -> list[TriedModel]:
        """What became of the models."""
        catalogue = self.project.catalogue
        inputs = {
            name: InputState(state=watch.state, newest_at=watch.newest_at)
            for name, watch in self.incident_table().watches().items()
        }
        return [
            TriedModel(
                state=model_state(catalogue, model, inputs, now),
                rows=self._count(
                    f"{self.database}.ANALYTICS.{sql_names.identifier(model.name)}"
                ),
            )
            for model in catalogue.models.values()
        ]

    def variables(self) -> dict[str, str]:
        """What a process needs to ask this stack as its administrator."""
        access_key, secret_key = self.stack.cloud.administrator_keys()
        return {
            "AWS_ENDPOINT_URL": self.stack.cloud.endpoint_url,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_DEFAULT_REGION": self.stack.cloud.region,
            **self.stack.snowflake.environment(),
            # A person's own login; the reader's is its function's.
            "SNOWFLAKE_USER": PERSON,
        }

    def incidents(self) -> list[Incident]:
        """All incidents, open or not."""
        return list(self.incident_table().incidents())

    @property
    def database(self) -> str:
        """Snowflake's database."""
        return self.project.environment.snowflake.database

    def query(self, statement: str) -> Rows:
        """Ask the warehouse. Raises the connector's errors."""
        columns, rows = self.stack.ask(statement)
        return Rows(columns=tuple(columns), rows=tuple(rows))

    def incident_table(self) -> IncidentTable:
        """The state of incidents, as the check has it."""
        return IncidentTable(
            dynamodb=self.stack.cloud.client("dynamodb"), table=self.stack.state_table()
        )

    def checks(self, name: str) -> DatasetChecks | None:
        """The results of a dataset's quality checks, if it has any."""
        table = CheckTable(
            dynamodb=self.stack.cloud.client("dynamodb"), table=self.stack.state_table()
        )
        return table.results(name)

    def held(self, name: str) -> tuple[str, ...]:
        """The runs of a dataset that its circuit breaker holds back."""
        table = CheckTable(
            dynamodb=self.stack.cloud.client("dynamodb"), table=self.stack.state_table()
        )
        known = table.loads().get(name)
        return () if known is None else known.held

    def _open(self, opened: ExitStack) -> None:
        with self._step("synthesize and deploy") as done:
            bundle = _bundle(self.folder, self.sources)
            made = opened.enter_context(
                closing(
                    Synthesis(
                        self.folder / "cdk.out",
                        root=self.folder / "project",
                        environment=LOCAL,
                    )
                )
            )
            self.stack = opened.enter_context(
                EmbeddedStack(
                    project=self.project,
                    assembly=made,
                    folder=self.folder,
                    start=self.start,
                    bundle_root=bundle,
                    team_reports=True,
                )
            )
            self._put_secrets()
            done.append(f"{self.stack.deployment.total_resources} resources")

    @contextmanager
    def _step(self, what: str) -> Iterator[list[str]]:
        began = time.monotonic()
        outcome: list[str] = []
        self.report(Step(what=what, seconds=0.0, outcome=""))
        yield outcome
        took = time.monotonic() - began
        self.report(Step(what=what, seconds=took, outcome=", ".join(outcome)))

    def _put_secrets(self) -> None:
        secrets = self.stack.cloud.client("secretsmanager")
        self.missing_secrets = put_secrets(
            secrets, self.project.catalogue, self.value_of
        )

    def _runs(self, name: str) -> list[Run]:
        table = StateTable(
            dynamodb=self.stack.cloud.client("dynamodb"), table=self.stack.state_table()
        )
        return table.latest_runs(name, 100)

    def _count(self, table: str) -> int | None:
        try:
            return int(self.query(f"SELECT COUNT(*) FROM {table}").rows[0][0])
        except Exception:  # noqa: BLE001 - what cannot be counted is not known
            return None

    def _relation(self, name: str) -> Rows | None:
        relation = f"{self.database}.ANALYTICS.{sql_names.identifier(name)}"
        try:
            return self.query(f"SELECT * FROM {relation} LIMIT {SAMPLE_ROWS}")
        except Exception:  # noqa: BLE001 - a relation that cannot be read is not shown
            return None


def _bundle(folder: Path, sources: Path) -> Path:
    """What functions run from: the repository, or a copy with the user's sources."""
    if sources == ROOT / "sources" or not sources.is_dir():
        return ROOT
    bundle = folder / "bundle"
    shutil.copytree(ROOT / "lambdas", bundle / "lambdas")
    shutil.copytree(sources, bundle / "sources")
    return bundle


def _pulled(runs: Sequence[Run], seconds: float) -> str:
    if not runs:
        return "no run was made"
    rows, requests = sum(run.rows for run in runs), sum(run.requests for run in runs)
    failed = next((run for run in runs if run.error is not None), None)
    if failed is not None and failed.error is not None:
        return f"failed: {failed.error.kind.value}: {failed.error.message}"
    rate = rows / seconds if seconds > 0 else 0.0
    return (
        f"{counted(rows, 'row')} in {counted(requests, 'request')} ({rate:,.0f} rows/s)"
    )
