"""Stand-ins for what a check needs: state, warehouse, channels, sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.evidence import DeployedSchedule, PullFacts
from lambdas.core.diagnosis.signals import Pipe, Upstream
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.errors import (
    ObjectMissing,
    StateConflict,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.events import OutgoingEvent
from lambdas.core.freshness.landed import Witnessed
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import Incident, NoticeKind, Recipient
from lambdas.core.incidents.incident import Recipient as TellAudience
from lambdas.core.incidents.message import Message
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.ports import CheckState
from lambdas.core.loading.objects import LandedObjects, LoadRecord
from lambdas.core.loading.repair import Problem, Repaired
from lambdas.core.names import is_ours
from lambdas.core.pull.run import DatasetState
from lambdas.core.silences.silence import Silence
from tests.memory import Faults

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENABLED = DeployedSchedule(is_enabled=True)


class MemoryIncidents:
    """IncidentState in memory. Every write is stored as one whole, or not at all."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.all: dict[str, Incident] = {}
        self.open: dict[str, str] = {}
        self.seen: dict[str, Watch] = {}
        self.outbox: dict[str, Notice] = {}
        self.at: datetime | None = None
        self.problems: list[Problem] = []
        self.repaired: dict[str, Repaired] = {}
        self.failed: set[str] = set()
        self.events: dict[str, OutgoingEvent] = {}
        self.silences: list[Silence] = []

    def keep_events(self, events: Iterable[OutgoingEvent]) -> dict[str, str]:
        self.events.update({one.event_id: one for one in events})
        return {}

    def published(self, events: Iterable[OutgoingEvent]) -> None:
        for one in events:
            self.events.pop(one.event_id, None)

    def watch(self, dataset: str) -> Watch | None:
        return self.seen.get(dataset)

    def check_state(self) -> CheckState:
        return CheckState(
            watches=self.watches(),
            waiting=self.undelivered(),
            last_check_at=self.at,
            problems=list(self.problems),
            repaired=list(self.repaired.values()),
            failed=frozenset(self.failed),
            events=list(self.events.values()),
            silences=list(self.silences),
            own={
                name: self.all[incident_id]
                for name, incident_id in self.open.items()
                if is_ours(name)
            },
        )

    def record_repaired(self, repair_id: str, notices: Sequence[Notice]) -> None:
        if self.repaired.pop(repair_id, None) is None:
            raise StateConflict(f"{repair_id} was told of by somebody else")
        self.outbox.update({notice.notice_id: notice for notice in notices})

    def watches(self) -> Mapping[str, Watch]:
        return dict(self.seen)

    def remember(self, watches: Iterable[Watch]) -> dict[str, str]:
        kept = {item.dataset: item for item in watches}
        self.faults.around("remember", lambda: self.seen.update(kept))
        return {}

    def forget(self, datasets: Iterable[str]) -> None:
        for name in datasets:
            self.seen.pop(name, None)

    def forget_failures(self, datasets: Iterable[str]) -> None:
        self.failed -= set(datasets)

    def open_incident(
        self, dataset: str, *, of_checks: bool = False
    ) -> Incident | None:
        incident_id = self.open.get(f"{dataset} checks" if of_checks else dataset)
        return None if incident_id is None else self.all[incident_id]

    def open_incidents(self, datasets: Sequence[str]) -> dict[str, Incident | None]:
        return {name: self.open_incident(name) for name in datasets}

    def incident(self, incident_id: str) -> Incident | None:
        return self.all.get(incident_id)

    def record(
        self,
        before: Incident | None,
        after: Incident,
        *,
        notices: Sequence[Notice],
        watch: Watch | None,
    ) -> None:
        self.faults.around(
            "record", lambda: self._record(before, after, notices, watch)
        )

    def _record(
        self,
        before: Incident | None,
        after: Incident,
        notices: Sequence[Notice],
        watch: Watch | None,
    ) -> None:
        stored = self.all.get(after.incident_id)
        is_as_read = (stored.version if stored else None) == (
            before.version if before else None
        )
        was_over = before is not None and before.resolved_at is not None
        if was_over and after.resolved_at is not None and is_as_read:
            self.all[after.incident_id] = after
            return
        slot = f"{after.dataset} checks" if after.kind == "quality" else after.dataset
        pointer = self.open.get(slot)
        expected = None if before is None or was_over else before.incident_id
        if not is_as_read or pointer != expected:
            raise StateConflict("somebody else was first")
        self.all[after.incident_id] = after
        if after.resolved_at is None:
            self.open[slot] = after.incident_id
        else:
            del self.open[slot]
        self.outbox.update({notice.notice_id: notice for notice in notices})
        if watch is not None:
            self.seen[watch.dataset] = watch

    def undelivered(self) -> Sequence[Notice]:
        return sorted(
            self.outbox.values(), key=lambda item: (item.created_at, item.notice_id)
        )

    def delivered(self, notices: Iterable[Notice]) -> None:
        gone = [notice.notice_id for notice in notices]
        self.faults.around("delivered", lambda: self._drop(gone))

    def _drop(self, ids: Iterable[str]) -> None:
        for notice_id in ids:
            self.outbox.pop(notice_id, None)

    def last_check_at(self) -> datetime | None:
        return self.at

    def checked(self, at: datetime) -> None:
        self.faults.around("checked", lambda: setattr(self, "at", at))


@dataclass
class FakeTable:
    """One table of the fake warehouse."""

    newest: datetime | None
    loaded: datetime | None = None
    rows: int = 100
    event_rows: int | None = None
    future: int = 0
    ahead: datetime | None = None
    """The newest event time while there are future rows."""


class NoWitness:
    """Tells nothing, so that every table is read."""

    def tables(
        self,
        datasets: Sequence[Dataset],
        watches: Mapping[str, Watch],
        *,
        now: datetime,
    ) -> Mapping[str, Witnessed]:
        del datasets, watches, now
        return {}

    def marks(self, datasets: Sequence[Dataset]) -> Mapping[str, int]:
        del datasets
        return {}


class FakeWarehouse:
    """Answers the monitor's own statements from tables that a test sets.

    As in Snowflake, a view fails as a whole when one table of it is gone.
    """

    def __init__(self, tables: Mapping[str, FakeTable | WarehouseError]) -> None:
        self.tables: dict[str, FakeTable | WarehouseError] = dict(tables)
        self.is_down = False
        self.down_after: int | None = None
        self.asked: list[str] = []

    @property
    def statements(self) -> int:
        return len(self.asked)

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        del parameters
        self.asked.append(statement)
        over = self.down_after is not None and len(self.asked) > self.down_after
        if self.is_down or over:
            raise WarehouseUnreachable("no answer from Snowflake")
        if "CATFLAP.FRESHNESS_" in statement:
            self._fail_for(self.tables)
            wanted = re.findall(r"'(\w+)'", statement)
            return [self._row(name) for name in wanted if name in self.tables]
        wanted = re.findall(r"SELECT '(\w+)' AS DATASET", statement)
        self._fail_for(wanted)
        if "FUTURE_ROWS" in statement:
            return [
                (name, table.future, table.newest)
                for name in wanted
                if isinstance(table := self.tables[name], FakeTable)
            ]
        return [self._row(name) for name in wanted]

    def _fail_for(self, names: Iterable[str]) -> None:
        for name in names:
            table = self.tables.get(name, ObjectMissing(f"RAW.{name} does not exist"))
            if isinstance(table, WarehouseError):
                raise table

    def _row(self, name: str) -> tuple[object, ...]:
        table = self.tables[name]
        assert isinstance(table, FakeTable)
        event_rows = table.rows if table.event_rows is None else table.event_rows
        newest = table.ahead if table.ahead is not None else table.newest
        return (name, newest, table.loaded, table.rows, event_rows)


class FakeChannel:
    """Keeps what it was given; raises `fault` while it is set."""

    def __init__(self, *audiences: Recipient, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.audiences = frozenset(audiences)
        self.batches: list[NoticeBatch] = []
        self.fault: Exception | None = None

    def deliver(self, batch: NoticeBatch) -> None:
        if self.fault is not None:
            raise self.fault
        self.faults.around("deliver", lambda: self.batches.append(batch))

    @property
    def ids(self) -> list[str]:
        return [batch.batch_id for batch in self.batches]


@dataclass
class FakeSources:
    """What lies on the way of each dataset; an exception is raised."""

    upstream_newest: dict[str, datetime] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    pulls: dict[str, PullFacts] = field(default_factory=dict)
    schedules: dict[str, DeployedSchedule] = field(default_factory=dict)
    landed: dict[str, LandedObjects] = field(default_factory=dict)
    loads: dict[str, Sequence[LoadRecord]] = field(default_factory=dict)
    pipe_state: str = "RUNNING"

    def ask(self, section: str, dataset: Dataset) -> str:
        self.asked.append((section, dataset.name))
        if section in self.faults:
            raise self.faults[section]
        return dataset.name


class FakeUpstream:
    def __init__(self, sources: FakeSources) -> None:
        self._sources = sources

    def collect(self, dataset: Dataset, *, now: datetime) -> Upstream:
        del now
        name = self._sources.ask("upstream", dataset)
        newest = self._sources.upstream_newest.get(name)
        if newest is None:
            return Upstream(probe="not_probed")
        return Upstream(probe="ok", newest_event_at=newest)


class FakePull:
    def __init__(self, sources: FakeSources) -> None:
        self._sources = sources

    def collect(self, dataset: Dataset, *, now: datetime) -> PullFacts:
        del now
        name = self._sources.ask("pull", dataset)
        nothing = PullFacts(
            state=DatasetState(dataset=name),
            runs=(),
            schedule=self._sources.schedules.get(name, ENABLED),
        )
        return self._sources.pulls.get(name, nothing)


class FakeLanding:
    def __init__(self, sources: FakeSources) -> None:
        self._sources = sources

    def collect(self, dataset: Dataset, *, now: datetime) -> LandedObjects:
        del now
        name = self._sources.ask("landing", dataset)
        return self._sources.landed.get(name, LandedObjects(objects=()))


class FakeLoad:
    def __init__(self, sources: FakeSources) -> None:
        self._sources = sources

    def collect(self, dataset: Dataset, *, now: datetime) -> Sequence[LoadRecord]:
        del now
        return self._sources.loads.get(self._sources.ask("load", dataset), ())


class FakePipe:
    def __init__(self, sources: FakeSources) -> None:
        self._sources = sources

    def collect(self, dataset: Dataset, *, now: datetime) -> Pipe:
        del now
        self._sources.ask("pipe", dataset)
        return Pipe(state=self._sources.pipe_state, pending_files=0)


def a_verdict(
    state: str = "error", cause: str | None = "pipe_stopped", **changes: object
) -> Verdict:
    """A verdict on `cats`, by default one that pages and is told to both."""
    page = cause == "pipe_stopped"
    tell = {"stakeholders"} if cause is not None else set()
    if page or cause == "monitor_blind":
        tell.add("engineers")
    if cause == "monitor_blind":
        tell, page = {"engineers"}, True
    fields: dict[str, object] = {
        "dataset": "cats",
        "state": State(state),
        "cause": cause,
        "stage": None,
        "page": page,
        "tell": frozenset(TellAudience(who) for who in tell),
        "headline": f"cats is {state}: {cause}",
        "evidence": ("the pipe is PAUSED",),
        "next_step": "resume the pipe",
        "also": (),
        "eta": None,
    }
    return Verdict(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name


def a_batch(
    message: Message | None = None,
    *,
    audience: Recipient = Recipient.ENGINEERS,
    channel: str = "slack",
    **changes: object,
) -> NoticeBatch:
    """A batch of one notice."""
    fields: dict[str, object] = {
        "notice_id": f"cats-1.1.{audience.value}.{channel}",
        "incident_id": "cats-1",
        "dataset": "cats",
        "kind": "opened",
        "audience": audience,
        "channel": channel,
        "page": True,
        "cause": "pipe_stopped",
        "created_at": NOW,
        "message": message or Message(headline="cats is late"),
    }
    notice = _notice(fields | changes)
    return NoticeBatch(
        batch_id=notice.notice_id, notices=(notice,), message=notice.message
    )


def _notice(fields: Mapping[str, object]) -> Notice:

    kind = NoticeKind(str(fields["kind"]))
    return Notice(**{**fields, "kind": kind})  # type: ignore[arg-type]  # fields by name
