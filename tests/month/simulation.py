"""One month from a seed: the check, its people, and channels that are down for a while.

Slack is down for six hours, then SNS, then PagerDuty, and some checks are killed after
a channel has taken a message and before that is marked.

What is told is judged by rules of its own (`rules`), from what each check found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, cast

from lambdas.adapters.signals.collect import Collector, Sources
from lambdas.adapters.signals.judge import Judge, Judged, Judgement
from lambdas.adapters.signals.tables import TableReader
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.dataset import Catalogue, Dataset, Period
from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.diagnosis.signals import Deployment
from lambdas.core.errors import BadInput
from lambdas.core.freshness.assess import Limits
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.human import Change, changed_by_hand, said_by
from lambdas.core.incidents.incident import Incident, Recipient
from lambdas.core.incidents.notice import Notice, notices, with_notices
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.incidents.ports import CheckState
from lambdas.core.models.graph import refs_of
from lambdas.core.names import OURS
from lambdas.freshness.check import FreshnessCheck
from lambdas.freshness.outbox import Outbox
from lambdas.freshness.repair_notices import RepairNotices
from lambdas.freshness.self_check import SelfCheck
from tests.checked import quality_checks
from tests.memory import MemoryEvents
from tests.month.copies import sql_models
from tests.month.lines import Line
from tests.month.rules import CHECK_EVERY, Rules
from tests.month.world import World, drawn_spells
from tests.watched import FakeWarehouse, NoWitness

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.state_table import TableInMemory

    Table = DynamoDBClient | TableInMemory

START = datetime(2026, 10, 17, tzinfo=UTC)
"""A month in which clocks change in Berlin and in New York."""
LOOSE = {
    "warn_after": Period(count=50, period="hour"),
    "error_after": Period(count=60, period="hour"),
}
IS_DOWN = timedelta(hours=6)
PEOPLE = ("sns", "slack")
ROUTES: Routes = {
    Recipient.ENGINEERS: (*PEOPLE, "pagerduty"),
    Recipient.STAKEHOLDERS: PEOPLE,
    Recipient.SYSTEMS: ("bus",),
}
DEPLOYMENT = Deployment(environment="prod", landing_bucket="b", database="DB")
LIMITS = Limits(
    skew=timedelta(minutes=5),
    load_grace=timedelta(minutes=15),
    check_every=CHECK_EVERY,
)


@dataclass(kw_only=True)
class Outcome:
    """What a seed came to."""

    violations: list[str]
    messages: Counter[int]
    """How many incidents had so many messages to people by one channel."""
    counts: Counter[str]
    trace: list[str] = field(default_factory=list)


class _Section:
    """A collector that asks the world."""

    def __init__(self, world: World, section: str) -> None:
        self._ask = getattr(world, section)

    def collect(self, dataset: Dataset, *, now: datetime) -> Any:
        del now
        return self._ask(dataset.name)


class Killed(BaseException):
    """The function was killed."""


class _WatchedJudge(Judge):
    """Keeps the verdicts that a check went by."""

    found: dict[str, Judged] = {}  # noqa: RUF012 - of a check that was killed before

    def judge(
        self,
        datasets: Sequence[Dataset],
        watches: Mapping[str, Watch],
        *,
        now: datetime,
        failed: Collection[str] = (),
    ) -> Judgement:
        judgement = super().judge(datasets, watches, now=now, failed=failed)
        self.found = {one.dataset.name: one for one in judgement.judged}
        return judgement

    def by_pulls(self, judged: Sequence[Judged], *, now: datetime) -> list[Judged]:
        seen = super().by_pulls(judged, now=now)
        self.found |= {one.dataset.name: one for one in seen}
        return seen


class _WatchedState(IncidentTable):
    """Keeps what is recorded; pulls that failed are the world's."""

    def __init__(self, dynamodb: Table, world: World, random: Random) -> None:
        super().__init__(dynamodb=cast("DynamoDBClient", dynamodb), table="state")
        self._world = world
        self._random = random
        self.kills = 0.0
        """How probable it is to be killed before a delivery is marked."""
        self.unmarked: Counter[str] = Counter()
        self.recorded: list[tuple[Incident | None, Incident, tuple[Notice, ...]]] = []

    def check_state(self) -> CheckState:
        found = super().check_state()
        fields = {name: getattr(found, name) for name in found.__dataclass_fields__}
        return CheckState(**{**fields, "failed": frozenset(self._world.failed)})

    def forget_failures(self, datasets: Any) -> None:
        self._world.failed -= set(datasets)

    def delivered(self, notices: Iterable[Notice]) -> None:
        known = list(notices)
        if self._random.random() < self.kills:
            self.unmarked.update(one.notice_id for one in known)
            raise Killed
        super().delivered(known)

    def record(
        self,
        before: Incident | None,
        after: Incident,
        *,
        notices: Sequence[Notice],
        watch: Watch | None,
    ) -> None:
        super().record(before, after, notices=notices, watch=watch)
        self.recorded.append((before, after, tuple(notices)))


class Month:
    """A seed, lived through."""

    def __init__(
        self,
        seed: int,
        dynamodb: Table,
        *,
        days: float,
        kills: float = 0.0,
        traced: bool = False,
    ) -> None:
        self._random = Random(seed)
        self._days = days
        self._traced = traced
        self.trace: list[str] = []
        self.world = World(START, self._random)
        self.world.spells = drawn_spells(
            list(self.world.datasets), START, days, self._random
        )
        self.state = _WatchedState(dynamodb, self.world, Random(f"kills {seed}"))
        self.state.kills = kills
        self.channels = {name: Line(name) for name in (*PEOPLE, "pagerduty", "bus")}
        self.rules = Rules()
        down = START + timedelta(days=days * self._random.uniform(0.2, 0.8))
        for name in ("slack", "sns", "pagerduty"):
            self.channels[name].down = (down, down + IS_DOWN)
            down += 2 * IS_DOWN
        self._deploys = self._drawn_deploys()

    def live(self) -> Outcome:
        """Check after check until the month is over, and until all is well again."""
        now, end = START, START + timedelta(days=self._days)
        while now < end:
            now += CHECK_EVERY
            self.step(now)
        self.state.kills = 0.0
        now += CHECK_EVERY
        self.step(now)  # delivers what kills have left, when it is due
        self.world.spells = []
        for name in self.world.datasets:
            if name not in self.world.deployed:
                self.world.deploy(name)
            self.world.pause(name, None)
        for _ in range(int(timedelta(days=4) / CHECK_EVERY / 3)):
            now += CHECK_EVERY * 3
            self.step(now)
        return self._outcome()

    def step(self, now: datetime) -> None:
        for deploy in self._deploys.pop(now, ()):
            deploy()
        self.world.move(now)
        self._people(now - CHECK_EVERY / 3)
        for channel in self.channels.values():
            channel.now = now
        judge = self._judge()
        try:
            self._check(judge).run(now=now)
        except Killed:
            self.rules.counts["checks killed"] += 1
        else:
            self.rules.whole.append(now)
        recorded, self.state.recorded = self.state.recorded, []
        found = {
            name: one
            for name, one in judge.found.items()
            if name in self.world.deployed
        }
        self.rules.see(now, found, recorded, self.world.deployed)
        if self._traced:
            self._tell(now, recorded)

    def _tell(
        self,
        now: datetime,
        recorded: Sequence[tuple[Incident | None, Incident, tuple[Notice, ...]]],
    ) -> None:
        for _, after, made in recorded:
            for one in made:
                if one.channel == "sns":
                    page = "PAGE " if one.page else ""
                    self.trace.append(
                        f"{now:%m-%d %H:%M} {after.incident_id} {one.kind.value} "
                        f"to {one.audience.value}: {page}{one.message.headline}"
                    )

    def _judge(self) -> _WatchedJudge:
        world = self.world
        sources = Sources(
            upstream=_Section(world, "upstream"),
            pull=_Section(world, "pull"),
            landing=_Section(world, "landing"),
            load=_Section(world, "load"),
            pipe=_Section(world, "pipe"),
        )
        return _WatchedJudge(
            tables=TableReader(
                warehouse=FakeWarehouse(world.tables()),
                database="DB",
                datasets=world.deployed,
                skew=LIMITS.skew,
            ),
            collector=Collector(sources=sources, threads=1, timeout_s=60),
            limits=LIMITS,
            deployment=DEPLOYMENT,
        )

    def _check(self, judge: Judge) -> FreshnessCheck:
        models = {
            name: one
            for name, one in sql_models().items()
            if self.world.deployed.keys() >= {*refs_of(one)}
        }
        catalogue = Catalogue(datasets=self.world.deployed, models=models)
        return FreshnessCheck(
            catalogue=catalogue,
            state=self.state,
            witness=NoWitness(),
            judge=judge,
            outbox=Outbox(
                state=self.state,
                channels=self.channels,
                pointers=Pointers(),
                has_time=lambda: True,
            ),
            events=MemoryEvents(),
            routes=ROUTES,
            self_check=SelfCheck(
                state=self.state, routes=ROUTES, limits=LIMITS, deployment=DEPLOYMENT
            ),
            sweep=lambda: None,
            loads=RepairNotices(
                state=self.state,
                told=self.state,
                routes=ROUTES,
                dynamic_tables=lambda _: (),
            ),
            quality=quality_checks(
                catalogue, warehouse=FakeWarehouse({}), state=self.state, routes=ROUTES
            ),
            statements=lambda: 0,
            has_time=lambda: True,
        )

    # people --------------------------------------------------------------------------
    def _people(self, now: datetime) -> None:
        """Now and then somebody does something about an open incident."""
        if self._random.random() > 0.06:
            return
        found = [
            one
            for name in self.world.datasets
            if (one := self.state.open_incident(name)) is not None
        ]
        if not found:
            return
        before = self._random.choice(found)
        hand = self._random.choice(
            ("ack", "ack", "eta", "eta", "snooze", "cause", "resolve", "false")
        )
        later = now + timedelta(hours=self._random.choice((0.5, 1, 3, 8, 20)))
        change = Change(
            by="ann",
            acknowledge=hand == "ack",
            promised_for=later if hand == "eta" else None,
            snooze_until=later if hand == "snooze" else None,
            cause=self._random.choice(sorted(BY_CODE)) if hand == "cause" else None,
            resolve=hand == "resolve",
            false_alarm=hand == "false",
        )
        try:
            transition = changed_by_hand(before, change, now=now)
        except BadInput:
            return
        after = transition.incident
        if after is None or after is before:
            return
        told = notices(
            transition,
            said_by(after),
            subject=context_of(self.world.datasets[before.dataset]),
            routes=ROUTES,
            now=now,
        )
        kept = with_notices(after, told)
        self.state.record(before, kept, notices=told, watch=None)
        recorded, self.state.recorded = self.state.recorded, []
        self.rules.see_hand(now, hand, recorded)
        if self._traced:
            self.trace.append(f"{now:%m-%d %H:%M} {before.incident_id} by hand: {hand}")
            self._tell(now, recorded)

    def _drawn_deploys(self) -> dict[datetime, list[Callable[[], None]]]:
        """Datasets that are removed and come back, promises that change, pauses."""
        deploys: dict[datetime, list[Callable[[], None]]] = {}
        world = self.world

        def at(share: float) -> datetime:
            steps = int(timedelta(days=self._days) / CHECK_EVERY * share)
            return START + steps * CHECK_EVERY

        changes: Sequence[Callable[[str], None]] = (
            world.remove,
            lambda name: world.deploy(name, **LOOSE),
            lambda name: world.pause(name, "the API moves"),
        )
        for name in ("fares", "clicks", "orders", "tides"):
            begin = self._random.uniform(0.2, 0.7)
            end = begin + self._random.uniform(0.02, 0.2)
            change = self._random.choice(changes)
            deploys.setdefault(at(begin), []).append(partial(change, name))
            deploys.setdefault(at(end), []).append(partial(world.deploy, name))
        return deploys

    def _outcome(self) -> Outcome:
        people = [self.channels[name] for name in (*PEOPLE, "pagerduty")]
        self.rules.end(people, self.state.unmarked, self._left())
        return Outcome(
            violations=self.rules.violations,
            messages=self.rules.messages(),
            counts=self.rules.counts,
            trace=self.trace,
        )

    def _left(self) -> list[str]:
        """What is open although all has been well for days."""
        names = [*self.world.datasets, *OURS]
        return [
            one.incident_id
            for name in names
            if (one := self.state.open_incident(name)) is not None
        ]


def simulate(
    seed: int,
    dynamodb: Table,
    *,
    days: float = 30,
    kills: float = 0.0,
    traced: bool = False,
) -> Outcome:
    """Live through a seed, over a state table that is empty."""
    return Month(seed, dynamodb, days=days, kills=kills, traced=traced).live()
