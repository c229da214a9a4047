"""The places where rows leave a trace, each by itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from lambdas.adapters.landing.newest import LandedListing
from lambdas.adapters.schedules import DeployedSchedules
from lambdas.adapters.signals.collect import Collector, Sources
from lambdas.adapters.signals.own_side import LoadSource, PullSource
from lambdas.adapters.signals.pipe import PipeSource
from lambdas.adapters.signals.upstream import UpstreamSource
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.adapters.state.runs import StateTable
from lambdas.core.dataset import Api, Dataset
from lambdas.core.diagnosis.evidence import DeployedSchedule, PipeReport, PullFacts
from lambdas.core.diagnosis.signals import Pipe, Upstream
from lambdas.core.errors import (
    AccessRefused,
    LandingError,
    ObjectMissing,
    RunErrorKind,
    Terminal,
    WarehouseError,
)
from lambdas.core.loading.objects import LandedObjects
from lambdas.core.pull.run import CursorPosition, DatasetState
from lambdas.core.sql import generation
from tests.api_server import Answer, ApiServer, Asked, answer_json, serving
from tests.aws import a_state_table
from tests.datasets import a_dataset
from tests.memory import FakeClock, MemoryState
from tests.watched import (
    HOUR,
    NOW,
    FakeLanding,
    FakeLoad,
    FakePull,
    FakeSources,
    FakeUpstream,
)


class PlainSecrets:
    """Every text is itself; a reference is refused."""

    def value(self, reference: str) -> str:
        if reference.startswith("secret:"):
            raise Terminal(f"`{reference}` may not be read", kind=RunErrorKind.AUTH)
        return reference


def upstream(state: MemoryState) -> UpstreamSource:
    clock = FakeClock()

    def open_api(api: Api) -> HttpApi:
        return HttpApi(
            api=api,
            secrets=PlainSecrets(),
            clock=clock,
            random=lambda: 0.0,
            deadline_s=clock.monotonic() + 25,
        )

    return UpstreamSource(open_api=open_api, state=state)


def asked_of(
    server: ApiServer, *, client: dict[str, object] | None = None, **changes: object
) -> Dataset:
    source = {
        "client": {"base_url": f"{server.origin}/v1/", **(client or {})},
        "endpoint": {
            "path": "cats",
            "params": {"since": "{incremental.start_value}"},
            "paginator": {"type": "json_link"},
            "data_selector": "rows",
            "incremental": {"cursor_path": "at"},
        },
    }
    return a_dataset(source=source, **changes)


def at_cursor(moment: datetime) -> MemoryState:
    state = MemoryState()
    before = state.read("cats")
    position = CursorPosition(value=moment.isoformat())
    state.states["cats"] = DatasetState(
        dataset="cats", version=before.version + 1, cursor=position
    )
    return state


def test_a_derived_probe_asks_from_the_cursor_on() -> None:
    asked: list[Asked] = []

    def app(request: Asked) -> Answer:
        asked.append(request)
        rows = [{"at": NOW.isoformat()}, {"at": (NOW + HOUR).isoformat()}]
        return answer_json({"rows": rows, "next": None})

    with serving(app) as server:
        found = upstream(at_cursor(NOW)).collect(asked_of(server), now=NOW)
    assert found == Upstream(probe="ok", newest_event_at=NOW + HOUR, empty=False)
    assert [request.query for request in asked] == [{"since": NOW.isoformat()}]


def test_a_budget_that_our_pulls_use_up_says_nothing_of_the_source() -> None:
    page = {"rows": [{"at": NOW.isoformat()}], "next": "cats?page=2"}
    with serving(lambda _: answer_json(page)) as server:
        limit = {"requests": 1, "period": "hour"}
        dataset = asked_of(server, client={"rate_limit": limit})
        found = upstream(at_cursor(NOW)).collect(dataset, now=NOW)
        assert len(server.asked) == 1
    assert found.probe == "not_probed"


def test_a_childs_declared_probe_leaves_out_what_needs_a_row() -> None:
    def app(request: Asked) -> Answer:
        assert "x-carrier" not in request.headers
        return answer_json({"rows": [{"at": NOW.isoformat()}]})

    probe = {"path": "newest", "newest_at": "rows[0].at"}
    with serving(app) as server:
        source = {
            "client": {"base_url": server.url},
            "endpoint": {"path": "cats", "headers": {"X-Carrier": "{parent.carrier}"}},
            "parent": {"dataset": "airlines", "fields": {"carrier": "carrier"}},
        }
        dataset = a_dataset(source=source, freshness={"probe": probe})
        assert upstream(MemoryState()).collect(dataset, now=NOW).probe == "ok"
        plain = a_dataset(source=source)
        assert upstream(MemoryState()).collect(plain, now=NOW).probe == "not_probed"
        assert len(server.asked) == 1


def test_a_declared_probe_is_asked_instead() -> None:
    def app(request: Asked) -> Answer:
        assert request.path == "/v1/newest"
        assert request.query == {"_size": "1"}
        return answer_json({"rows": [{"at": NOW.isoformat()}]})

    probe = {"path": "newest", "params": {"_size": 1}, "newest_at": "rows[0].at"}
    with serving(app) as server:
        dataset = asked_of(server, freshness={"probe": probe})
        found = upstream(MemoryState()).collect(dataset, now=NOW)
    assert found.newest_event_at == NOW


@pytest.mark.parametrize(
    ("answer", "probe"),
    [
        (Answer(status=401), "denied"),
        (Answer(status=429, headers={"Retry-After": "60"}), "throttled"),
        (Answer(status=503), "unreachable"),
        (Answer(fault="reset"), "unreachable"),
        (answer_json({"error": "out of order"}), "error_body"),
        (Answer(body=b"<html>"), "error_body"),
    ],
)
def test_what_the_source_answers_is_told_apart_and_asked_once(
    answer: Answer, probe: str
) -> None:
    asked: list[Asked] = []

    def app(request: Asked) -> Answer:
        asked.append(request)
        return answer

    with serving(app) as server:
        found = upstream(at_cursor(NOW)).collect(asked_of(server), now=NOW)
    assert found.probe == probe
    assert len(asked) == 1


def test_a_source_that_nobody_answers_for_is_unreachable() -> None:
    with serving(lambda _: Answer()) as server:
        dataset = asked_of(server)
    found = upstream(at_cursor(NOW)).collect(dataset, now=NOW)
    assert found.probe == "unreachable"


def test_a_secret_we_may_not_read_says_nothing_of_the_source() -> None:
    auth = {"type": "bearer", "token": "secret:cats#token"}
    with serving(lambda _: Answer()) as server:
        dataset = asked_of(server, client={"auth": auth})
        found = upstream(at_cursor(NOW)).collect(dataset, now=NOW)
    assert found.probe == "failed"


def test_what_cannot_be_asked_is_not_probed() -> None:
    python = a_dataset(source={"python": "sources/foo.py:pages"})
    found = upstream(MemoryState()).collect(python, now=NOW)
    assert found.probe == "not_probed"


class OneAnswer:
    """A warehouse that answers everything with the same rows, or raises."""

    def __init__(self, answer: list[tuple[object, ...]] | Exception) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        del parameters
        self.asked.append(statement)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_a_pipes_report_is_read() -> None:
    status = {
        "executionState": "RUNNING",
        "pendingFileCount": 3,
        "lastReceivedMessageTimestamp": "2026-11-23T08:59:00.123Z",
        "lastForwardedMessageTimestamp": "2026-11-23T08:59:01.000Z",
    }
    warehouse = OneAnswer([(json.dumps(status),)])
    pipe = PipeSource(warehouse=warehouse, database="DB").collect(a_dataset(), now=NOW)
    assert (pipe.state, pipe.pending_files) == ("RUNNING", 3)
    assert pipe.oldest_pending_at is None
    assert pipe.last_received_at is not None
    assert f"CATS_G{generation(a_dataset())}" in warehouse.asked[0]


class PipeAnswers:
    """The status of a pipe, and its description or why there is none."""

    def __init__(self, described: list[tuple[object, ...]] | Exception) -> None:
        self._described = described

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        del parameters
        if not statement.startswith("DESC"):
            return [(json.dumps({"executionState": "RUNNING"}),)]
        if isinstance(self._described, Exception):
            raise self._described
        return self._described


COPY = "COPY INTO DB.RAW.CATS (A) FROM (SELECT $1 FROM @DB.RAW.LANDING/raw/cats/g7/) "


@pytest.mark.parametrize(
    ("described", "path", "made"),
    [
        ([(NOW, "P", "DB", "RAW", COPY + "ON_ERROR = 1")], "raw/cats/g7/", NOW),
        ([(NOW.isoformat(), "P", "DB", "RAW", COPY)], "raw/cats/g7/", NOW),
        ([(NOW, "P", "DB", "RAW", "copy into t from @s")], "", NOW),
        ([(NOW, "P", "DB", "RAW", COPY + "PATTERN = '.*gz'")], None, NOW),
        ([(NOW.replace(tzinfo=None), "P", "DB", "RAW", COPY)], "raw/cats/g7/", None),
        ([], None, None),
        (AccessRefused("x"), None, None),
    ],
)
def test_a_pipe_is_described_by_its_own_copy(
    described: list[tuple[object, ...]] | Exception,
    path: str | None,
    made: datetime | None,
) -> None:
    source = PipeSource(warehouse=PipeAnswers(described), database="DB")
    pipe = source.collect(a_dataset(), now=NOW)
    # It has been given no file yet: none since it was made.
    assert (pipe.state, pipe.last_forwarded_at) == ("RUNNING", made)
    assert isinstance(pipe, PipeReport)
    assert pipe.path == path


@pytest.mark.parametrize("error", [AccessRefused("x"), ObjectMissing("x")])
def test_a_pipe_that_is_hidden_is_unreadable(error: Exception) -> None:
    source = PipeSource(warehouse=OneAnswer(error), database="DB")
    assert source.collect(a_dataset(), now=NOW) == Pipe(state="unreadable")


@pytest.mark.parametrize("answer", [[], [("no JSON",)], [(None,)], [("[]",)]])
def test_a_pipe_that_answers_nonsense_is_an_error(
    answer: list[tuple[object, ...]],
) -> None:
    source = PipeSource(warehouse=OneAnswer(answer), database="DB")
    with pytest.raises(WarehouseError):
        source.collect(a_dataset(), now=NOW)


def test_load_records_are_read_in_the_signals_words() -> None:
    rows: list[tuple[object, ...]] = [
        ("cats/g1/x.gz", "LOADED", 5, 5, None, None, NOW, NOW, "P"),
        ("cats/g1/y.gz", "Load failed", 0, 5, "bad \ud800", 1, NOW, NOW, "P"),
        ("cats/g1/z.gz", "A new word", 0, 5, None, None, None, None, "P"),
    ]
    source = LoadSource(warehouse=OneAnswer(rows), database="DB")
    found = source.collect(a_dataset(), now=NOW)
    assert [item.status for item in found] == ["Loaded", "Load failed", "unknown"]
    assert found[1].first_error == "bad ?"
    assert found[0].name == "x.gz"


@pytest.mark.usefixtures("aws")
def test_the_newest_day_is_listed_and_the_last_days_of_every_generation() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="landing")
    keys = [
        "raw/cats/g1/dt=2026-11-10/a.ndjson.gz",
        "raw/cats/g1/dt=2026-11-21/b.ndjson.gz",
        "raw/cats/g2/dt=2026-11-22/c.ndjson.gz",
        "raw/cats/g2/dt=2026-11-22/d.ndjson.gz",
        "raw/cats_and_dogs/g1/dt=2026-11-23/e.ndjson.gz",
    ]
    for key in keys:
        s3.put_object(Bucket="landing", Key=key, Body=b"x")
    listing = LandedListing(s3=s3, bucket="landing")
    found = listing.recent("cats", now=NOW)
    assert {item.key for item in found.objects} == set(keys[1:4])
    # A dataset that is silent for weeks still shows its newest day.
    silent = listing.recent("cats", now=NOW + timedelta(days=60))
    assert {item.key for item in silent.objects} == set(keys[2:4])
    assert listing.recent("dogs", now=NOW) == LandedObjects(objects=())
    with pytest.raises(LandingError, match="ListBucket"):
        LandedListing(s3=s3, bucket="elsewhere").recent("cats", now=NOW)


@pytest.mark.usefixtures("aws")
def test_a_schedule_is_on_off_or_not_there() -> None:
    scheduler = boto3.client("scheduler")
    before = datetime.now(UTC).replace(microsecond=0)
    for name, state in (("cats", "ENABLED"), ("dogs", "DISABLED")):
        scheduler.create_schedule(
            Name=f"catflap-dev-{name}",
            ScheduleExpression="rate(1 hour)",
            FlexibleTimeWindow={"Mode": "OFF"},
            State=state,  # type: ignore[arg-type]  # one of the two words
            Target={
                "Arn": "arn:aws:sqs:us-east-1:123456789012:q",
                "RoleArn": "arn:aws:iam::123456789012:role/r",
            },
        )
    deployed = DeployedSchedules(scheduler=scheduler, prefix="catflap-dev-")
    assert [
        deployed.schedule(name).is_enabled for name in ("cats", "dogs", "mice")
    ] == [
        True,
        False,
        False,
    ]
    created_at = deployed.schedule("cats").created_at
    assert created_at is not None
    assert before <= created_at <= datetime.now(UTC)
    unasked = DeployedSchedules(scheduler=scheduler, prefix=None)
    assert unasked.schedule("cats") == DeployedSchedule()


@pytest.mark.usefixtures("aws")
def test_our_own_pulls_are_read_from_the_state_table() -> None:
    dynamodb = a_state_table()
    history = StateTable(dynamodb=dynamodb, table="state")
    schedules = DeployedSchedules(scheduler=boto3.client("scheduler"), prefix=None)
    found = PullSource(history=history, schedules=schedules).collect(
        a_dataset(), now=NOW
    )
    assert found == PullFacts(
        state=DatasetState(dataset="cats"), runs=(), schedule=DeployedSchedule()
    )


class Hanging:
    """A source that answers once nobody waits for it any more."""

    def __init__(self) -> None:
        self.given_up = threading.Event()

    def collect(self, dataset: Dataset, *, now: datetime) -> Pipe:
        del dataset, now
        self.given_up.wait(60)
        return Pipe(state="RUNNING")


def test_collecting_ends_in_time_and_what_is_late_is_not_known(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def once_all_others_have_answered(
        asked: Mapping[Future[object], tuple[str, str]], *, timeout: float
    ) -> object:
        assert timeout == 25
        wait([task for task, (_, section) in asked.items() if section != "pipe"])
        return wait(asked, timeout=0)

    monkeypatch.setattr(
        "lambdas.adapters.signals.collect.wait", once_all_others_have_answered
    )
    fakes, hanging = FakeSources(), Hanging()
    sources = Sources(
        upstream=FakeUpstream(fakes),
        pull=FakePull(fakes),
        landing=FakeLanding(fakes),
        load=FakeLoad(fakes),
        pipe=hanging,
    )
    collector = Collector(sources=sources, threads=12, timeout_s=25)
    found = collector.collect([a_dataset(), a_dataset(name="dogs")], now=NOW)
    hanging.given_up.set()
    for item in found.values():
        assert item.pipe is None  # so it was not waited for
        assert item.upstream is not None
        assert item.load is not None
    assert "pipe not known: it took too long" in caplog.text
