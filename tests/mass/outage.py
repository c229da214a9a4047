"""Thousands of datasets after 100 days off, many late, every twentieth write refused.

The check and its store are the real ones, over a table in memory; what the network
would take is counted, and goes with what was really used into the function's time.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import urllib3

from lambdas.adapters.channels.pagerduty import PagerDutyChannel
from lambdas.adapters.signals.collect import Collector, Sources
from lambdas.adapters.signals.judge import Judge
from lambdas.adapters.signals.tables import TableReader
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.posts import SharedAlertTable
from lambdas.adapters.state.writes import TableWriter
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.diagnosis.signals import Deployment
from lambdas.core.freshness.assess import Limits
from lambdas.core.freshness.attainment import AttainmentState, Day
from lambdas.core.freshness.watch import Watch, promise_hash
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.pointers import Pointers
from lambdas.freshness.check import CheckResult, FreshnessCheck
from lambdas.freshness.outbox import Outbox
from lambdas.freshness.repair_notices import RepairNotices
from lambdas.freshness.self_check import SelfCheck
from tests.checked import quality_checks
from tests.datasets import a_dataset
from tests.memory import MemoryEvents
from tests.state_table import TableInMemory
from tests.watched import (
    HOUR,
    NOW,
    FakeChannel,
    FakeLanding,
    FakeLoad,
    FakePipe,
    FakePull,
    FakeSources,
    FakeTable,
    FakeUpstream,
    FakeWarehouse,
    NoWitness,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHECK_EVERY = timedelta(minutes=5)
TIMEOUT_S, RESERVE_S, DELIVERY_S = 300.0, 30.0, 60.0
"""As `stacks.freshness` and `lambdas.freshness.wiring` have them."""
OFF = timedelta(days=100)
READ_S, WRITE_S, QUERY_S, SEND_S, STATEMENT_S = 0.004, 0.008, 0.015, 0.05, 1.0
"""What one call takes over the network, as AWS and Snowflake answer on a usual day."""
UNWRITABLE = "d00007"
PEOPLE = ("sns", "slack")
ROUTES: Routes = {
    Recipient.ENGINEERS: (*PEOPLE, "pagerduty"),
    Recipient.STAKEHOLDERS: PEOPLE,
    Recipient.SYSTEMS: ("bus",),
}
LIMITS = Limits(
    skew=timedelta(minutes=5),
    load_grace=timedelta(minutes=15),
    check_every=CHECK_EVERY,
)


class _Stopwatch:
    """The function's time: what this process used, and what the network would have."""

    def __init__(self) -> None:
        self.network_s = 0.0
        self.begin()

    def begin(self) -> None:
        self.network_s = 0.0
        self._cpu_s = time.process_time()

    def wait(self, seconds: float) -> None:
        self.network_s += seconds

    @property
    def spent_s(self) -> float:
        return time.process_time() - self._cpu_s + self.network_s


class _Table(TableInMemory):
    """Takes the time that DynamoDB would."""

    def __init__(self, watch: _Stopwatch) -> None:
        self._writes = count(1)
        self._watch = watch
        self.is_throttled = False
        super().__init__(refuses=self._refused)

    def _refused(self, pk: str, sk: str) -> str | None:
        if not self.is_throttled:
            return None
        if sk == f"FRESHNESS#{UNWRITABLE}" or pk == f"DATASET#{UNWRITABLE}":
            return "ValidationException"
        is_twentieth = next(self._writes) % 20 == 0
        return "ProvisionedThroughputExceededException" if is_twentieth else None

    def get_item(self, **request: Any) -> dict[str, Any]:
        self._watch.wait(READ_S)
        return super().get_item(**request)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        self._watch.wait(QUERY_S)
        return super().batch_get_item(**request)

    def paginate(self, **request: Any) -> Any:
        for page in super().paginate(**request):
            self._watch.wait(QUERY_S)
            yield page

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        self._watch.wait(WRITE_S * 2)
        return super().batch_write_item(**request)

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        self._watch.wait(WRITE_S)
        return super().transact_write_items(**request)

    def put_item(self, **request: Any) -> dict[str, Any]:
        self._watch.wait(WRITE_S)
        return super().put_item(**request)


class _SlowChannel(FakeChannel):
    def __init__(self, watch: _Stopwatch, *audiences: Recipient) -> None:
        super().__init__(*audiences)
        self._watch = watch

    def deliver(self, batch: NoticeBatch) -> None:
        self._watch.wait(SEND_S)
        super().deliver(batch)


class _Pager:
    """PagerDuty's address: it takes every event, and the time of one."""

    def __init__(self, watch: _Stopwatch) -> None:
        self._watch = watch
        self.events = 0

    def request(self, *_: object, **__: object) -> urllib3.HTTPResponse:
        self._watch.wait(SEND_S)
        self.events += 1
        return urllib3.HTTPResponse(status=202)


class _RoutingKey:
    def value(self, _: str) -> str:
        return "0" * 32


class _SlowWarehouse(FakeWarehouse):
    watch: _Stopwatch

    def query(self, *asked: Any, **more: Any) -> list[tuple[object, ...]]:
        self.watch.wait(STATEMENT_S)
        return super().query(*asked, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFigures:
    """One check of the outage."""

    seconds: float
    of_these_network: float
    result: CheckResult
    batches: Mapping[str, int]
    pages: int


@dataclass(kw_only=True)
class OutageFigures:
    """What the outage came to."""

    checks: list[CheckFigures] = field(default_factory=list)
    megabytes: float = 0.0
    refused: int = 0
    opened: int = 0
    told: Mapping[str, int] = field(default_factory=dict)
    on_the_pager: int = 0
    """Incidents of an alert that the pager shows."""
    twice: int = 0
    left: int = 0


def live(*, datasets: int, late: int, checks: int = 12) -> OutageFigures:
    """Check until nothing is left to tell, or so often."""
    outage = _Outage(datasets, late)
    figures = OutageFigures()
    for _ in range(checks):
        figures.checks.append(outage.check())
        if figures.checks[-1].result.notices == 0 and not outage.waiting():
            break
    figures.megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures.refused = outage.table.refused
    figures.opened = sum(
        outage.state.open_incident(name) is not None for name in outage.late
    )
    told = {name: outage.told(name) for name in (*PEOPLE, "bus")}
    figures.told = {name: len(found) for name, found in told.items()}
    figures.twice = sum(n - 1 for found in told.values() for n in found.values())
    figures.left = len(outage.waiting())
    figures.on_the_pager = len(outage.alerts.all())
    return figures


class _Outage:
    def __init__(self, datasets: int, late: int) -> None:
        self.now = NOW
        self.watch = _Stopwatch()
        self.table = _Table(self.watch)
        writer = TableWriter(
            dynamodb=cast("DynamoDBClient", self.table),
            table="state",
            sleep=self.watch.wait,
        )
        self.state = IncidentTable(
            dynamodb=cast("DynamoDBClient", self.table), table="state", writer=writer
        )
        names = [f"d{number:05}" for number in range(datasets)]
        self.late = names[:late]
        self.catalogue = Catalogue(datasets={name: _declared(name) for name in names})
        fresh = FakeTable(NOW - HOUR, NOW - HOUR)
        old = FakeTable(NOW - 9 * HOUR, NOW - 9 * HOUR)
        tables = dict.fromkeys(names, fresh) | dict.fromkeys(self.late, old)
        self.warehouse = _SlowWarehouse(tables)
        self.warehouse.watch = self.watch
        self.sources = FakeSources(pipe_state="PAUSED")
        self.alerts = SharedAlertTable(
            dynamodb=cast("DynamoDBClient", self.table), table="state", writer=writer
        )
        self.pager = _Pager(self.watch)
        people = (Recipient.ENGINEERS, Recipient.STAKEHOLDERS)
        self.channels = {
            "sns": _SlowChannel(self.watch, *people),
            "slack": _SlowChannel(self.watch, *people),
            "bus": _SlowChannel(self.watch, Recipient.SYSTEMS),
        }
        self.state.remember(map(_remembered, self.catalogue.datasets.values()))
        self.state.checked(NOW - OFF)
        self.table.is_throttled = True

    def _pagerduty(self) -> PagerDutyChannel:
        return PagerDutyChannel(
            http=cast("urllib3.PoolManager", self.pager),
            secrets=_RoutingKey(),
            reference="secret:pager#routing_key",
            url="https://events.pagerduty.com/v2/enqueue",
            environment="prod",
            alerts=self.alerts,
        )

    def waiting(self) -> list[Any]:
        return list(self.state.check_state().waiting)

    def told(self, channel: str) -> Counter[str]:
        return Counter(
            notice.notice_id
            for batch in self.channels[channel].batches
            for notice in batch.notices
            if notice.dataset.startswith("d")
        )

    def check(self) -> CheckFigures:
        before = {name: len(one.batches) for name, one in self.channels.items()}
        rung = self.pager.events
        self.watch.begin()
        result = self._check().run(now=self.now)
        spent, network = self.watch.spent_s, self.watch.network_s
        self.now += CHECK_EVERY
        batches = {
            name: len(one.batches) - before[name] for name, one in self.channels.items()
        }
        batches["pagerduty"] = self.pager.events - rung
        sent = self.channels["sns"].batches[before["sns"] :]
        return CheckFigures(
            seconds=spent,
            of_these_network=network,
            result=result,
            batches=batches,
            pages=sum(batch.page for batch in sent),
        )

    def _check(self) -> FreshnessCheck:
        deployment = Deployment(environment="prod", landing_bucket="b", database="DB")
        sources = Sources(
            upstream=FakeUpstream(self.sources),
            pull=FakePull(self.sources),
            landing=FakeLanding(self.sources),
            load=FakeLoad(self.sources),
            pipe=FakePipe(self.sources),
        )

        def has_time(kept_s: float) -> bool:
            return TIMEOUT_S - self.watch.spent_s > kept_s

        return FreshnessCheck(
            catalogue=self.catalogue,
            state=self.state,
            witness=NoWitness(),
            judge=Judge(
                tables=TableReader(
                    warehouse=self.warehouse,
                    database="DB",
                    datasets=self.catalogue.datasets,
                    skew=LIMITS.skew,
                ),
                collector=Collector(sources=sources, threads=16, timeout_s=60),
                limits=LIMITS,
                deployment=deployment,
            ),
            outbox=Outbox(
                state=self.state,
                channels={**self.channels, "pagerduty": self._pagerduty()},
                pointers=Pointers(environment="prod"),
                has_time=lambda: has_time(RESERVE_S),
            ),
            events=MemoryEvents(),
            routes=ROUTES,
            self_check=SelfCheck(
                state=self.state, routes=ROUTES, limits=LIMITS, deployment=deployment
            ),
            sweep=lambda: None,
            loads=RepairNotices(
                state=self.state,
                told=self.state,
                routes=ROUTES,
                dynamic_tables=lambda _: (),
            ),
            quality=quality_checks(
                self.catalogue,
                warehouse=self.warehouse,
                state=self.state,
                routes=ROUTES,
            ),
            statements=lambda: self.warehouse.statements,
            has_time=lambda: has_time(RESERVE_S + DELIVERY_S),
        )


def _declared(name: str) -> Dataset:
    return a_dataset(
        name=name,
        freshness={
            "loaded_at_field": "at",
            "warn_after": {"count": 3, "period": "hour"},
            "error_after": {"count": 6, "period": "hour"},
        },
        schedule={"cron": "5 * * * ? *"},
    )


def _remembered(dataset: Dataset) -> Watch:
    """What was known when the environment was switched off."""
    then = NOW - OFF
    return Watch(
        dataset=dataset.name,
        checked_at=then,
        promise=promise_hash(dataset),
        state="pass",
        cause=None,
        next_look_at=then + HOUR,
        newest_at=then - HOUR,
        newest_loaded_at=then - HOUR,
        row_count=100,
        first_seen_at=then,
        tally=AttainmentState(
            since=then,
            until=then,
            was_late=False,
            due_share=1.0,
            today=Day(day=then.date().isoformat()),
        ),
    )
