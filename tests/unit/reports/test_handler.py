"""The reports function, on a state table and a bucket alone."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from lambdas.adapters.channels.sns import document_of
from lambdas.adapters.snowflake.access_history import AccessHistory
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.proof import ProofTable
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import StateConflict
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.groups import batches_of
from lambdas.core.incidents.incident import Ending
from lambdas.core.incidents.message import Message
from lambdas.core.incidents.notice import Notice
from lambdas.core.reports.notices import report_notices
from lambdas.core.reports.usage import AccountWeek, WakeUp
from lambdas.core.settings import ReportSettings
from lambdas.reports import handler, wiring
from tests.aws import a_state_table
from tests.datasets import a_dataset
from tests.pages import an_incident

BUCKET = "landing"
CONTEXT: Any = SimpleNamespace(aws_request_id="1")


@pytest.fixture
def s3(aws: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    del aws
    table = "state"
    a_state_table(table)
    region = "eu-central-1"
    bucket: Any = boto3.client("s3", region_name=region)
    clients: dict[str, Any] = {
        "s3": bucket,
        "dynamodb": boto3.client("dynamodb", region_name=region),
    }
    monkeypatch.setattr(wiring, "client", clients.__getitem__)
    bucket.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region}
    )
    known = ReportSettings(
        snowflake_account="a",
        snowflake_user="R",
        snowflake_role="R",
        snowflake_warehouse="W",
        snowflake_database="D",
        state_table=table,
        landing_bucket=BUCKET,
        catalogue_key="x",
        environment_name="dev",
        digests='{"data-eng": "Europe/Berlin"}',
    )
    monkeypatch.setattr(wiring, "settings", lambda _: known)
    catalogue = Catalogue(datasets={"cats": a_dataset()})
    monkeypatch.setattr(wiring, "catalogue", lambda: catalogue)
    return bucket


def a_change(at: datetime) -> dict[str, Any]:
    return {"detail-type": "dataset.late", "time": at.isoformat(), "detail": {}}


def test_a_tick_writes_the_page_which_no_browser_keeps(s3: Any) -> None:
    answer = handler.handle({"report": "page", "due_at": "x"}, CONTEXT)
    assert answer["datasets"] == 1
    found = s3.get_object(Bucket=BUCKET, Key="pages/status.html")
    assert found["ContentType"] == "text/html; charset=utf-8"
    assert found["CacheControl"] == "no-store"
    html = found["Body"].read().decode()
    assert "Not known: checks have stopped" in html
    assert len(html.encode()) == answer["bytes"]


def test_of_many_changes_at_once_those_that_are_shown_write_nothing(s3: Any) -> None:
    del s3
    before = datetime.now(UTC) - timedelta(hours=1)
    assert handler.handle(a_change(before), CONTEXT)["datasets"] == 1
    assert handler.handle(a_change(before), CONTEXT)["datasets"] == 0
    later = datetime.now(UTC) + timedelta(hours=1)
    assert handler.handle(a_change(later), CONTEXT)["datasets"] == 1


def test_a_report_that_nobody_knows_is_refused(s3: Any) -> None:
    del s3
    with pytest.raises(ValueError, match="cost"):
        handler.handle({"report": "cost"}, CONTEXT)


DIGEST = {"report": "digest", "team": "data-eng", "due_at": "2026-11-28T06:30:00Z"}


def waiting(table: str = "state") -> list[Notice]:
    dynamodb: Any = boto3.client("dynamodb", region_name="eu-central-1")
    state = IncidentTable(dynamodb=dynamodb, table=table)
    return [*state.read_check_state().waiting]


def test_a_digest_waits_in_the_outbox_once_a_day(s3: Any) -> None:
    del s3
    assert handler.handle(DIGEST, CONTEXT)["notices"] == 1
    assert handler.handle(DIGEST, CONTEXT)["notices"] == 0
    late_copy = {**DIGEST, "due_at": "2026-11-27T06:30:00Z"}
    assert handler.handle(late_copy, CONTEXT)["notices"] == 0
    (notice,) = waiting()
    assert notice.message.headline == (
        "data-eng this morning: not known, checks have stopped; before: 1 not known"
    )
    (batch,) = batches_of([notice])
    document = document_of(batch, "")
    assert (document["kind"], document["incidents"]) == ("digest", [])
    tomorrow = {**DIGEST, "due_at": "2026-11-29T06:30:00Z"}
    assert handler.handle(tomorrow, CONTEXT)["notices"] == 1
    assert len(waiting()) == 2


def test_of_two_that_make_one_digest_the_second_makes_nothing(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del s3
    handler.handle(DIGEST, CONTEXT)
    monkeypatch.setattr(IncidentTable, "report_day", lambda *_: None)
    with pytest.raises(StateConflict, match="digest of data-eng for 2026-11-28"):
        handler.handle(DIGEST, CONTEXT)
    assert len(waiting()) == 1


def test_a_team_that_gets_no_digest_any_more_is_told_nothing(s3: Any) -> None:
    del s3
    assert handler.handle({**DIGEST, "team": "web"}, CONTEXT)["notices"] == 0


def test_the_causes_of_a_month_wait_in_the_outbox_once(s3: Any) -> None:
    del s3
    asked = {"report": "causes", "team": "data-eng", "due_at": "2026-12-01T06:30:00Z"}
    assert handler.handle(asked, CONTEXT)["notices"] == 0
    dynamodb: Any = boto3.client("dynamodb", region_name="eu-central-1")
    state = IncidentTable(dynamodb=dynamodb, table="state")
    for month, day in ((11, 3), (10, 20), (8, 9)):
        opened_at = datetime(2026, month, day, 8, tzinfo=UTC)
        one = an_incident(
            "cats",
            incident_id=f"cats-{opened_at:%Y%m%dT%H%M%SZ}",
            opened_at=opened_at,
            late_since=opened_at,
        )
        ended_at = opened_at + timedelta(hours=2)
        over = dataclasses.replace(one, version=2, resolved_at=ended_at)
        state.record(None, one, notices=(), watch=None)
        state.record(one, over, notices=(), watch=None)
    asked["due_at"] = "2026-12-02T06:30:00Z"
    assert handler.handle(asked, CONTEXT)["notices"] == 1
    assert handler.handle(asked, CONTEXT)["notices"] == 0
    (notice,) = waiting()
    assert notice.message.headline == (
        "data-eng, 2 Nov to 2 Dec: 1 incident, 2 h out of promise "
        "(before: 1 incident, 2 h out of promise)"
    )


def test_a_digest_tells_of_every_incident_of_the_night(s3: Any) -> None:
    del s3
    dynamodb: Any = boto3.client("dynamodb", region_name="eu-central-1")
    state = IncidentTable(dynamodb=dynamodb, table="state")
    at = datetime(2026, 11, 28, 1, tzinfo=UTC)
    for hour in range(3):
        opened_at = at + timedelta(hours=hour)
        open_one = an_incident(
            "cats",
            incident_id=f"cats-{opened_at:%Y%m%dT%H%M%SZ}",
            opened_at=opened_at,
            late_since=opened_at,
        )
        ended_at = opened_at + timedelta(minutes=30)
        over = dataclasses.replace(
            open_one, version=2, resolved_at=ended_at, ended_by=Ending.RECOVERED
        )
        state.record(None, open_one, notices=(), watch=None)
        state.record(open_one, over, notices=(), watch=None)
    handler.handle(DIGEST, CONTEXT)
    (notice,) = waiting()
    assert "3 ended since yesterday" in notice.message.headline


MONDAY = datetime(2026, 11, 30, tzinfo=UTC)


class NearItsBudget:
    """What is used of a week's cost, of a team that is near the end of its budget."""

    after = AccountWeek(
        since=MONDAY,
        until=MONDAY,
        wake_ups=[WakeUp(at=MONDAY, by="READER", woken_for="look")],
    )

    def notices(self, *, routes: Routes, now: datetime) -> tuple[Notice, ...]:
        return report_notices("cost", Message(headline="cost"), routes=routes, now=now)

    def sentences(self) -> dict[str, str]:
        return {"cats": "$1.00"}

    def teams_near_their_budget(self) -> dict[str, float]:
        return {"data-eng": 0.8}

    def budget_notices(
        self, team: str, *, routes: Routes, now: datetime
    ) -> tuple[Notice, ...]:
        message = Message(headline=f"{team} is near its budget")
        return report_notices(f"budget-{team}", message, routes=routes, now=now)


@pytest.mark.parametrize("dies_after", [1, 2])
def test_a_week_that_dies_between_two_writes_is_told_whole_and_once(
    s3: Any, monkeypatch: pytest.MonkeyPatch, dies_after: int
) -> None:
    del s3
    monkeypatch.setattr(wiring, "_cost", lambda *_, **__: NearItsBudget())
    monkeypatch.setattr(wiring, "unread_of", lambda _: ())
    monkeypatch.setattr(wiring, "warehouse", lambda: None)
    monkeypatch.setattr(AccessHistory, "facts", lambda *_, **__: None)
    monkeypatch.setattr(wiring, "access_notices", lambda *_, **__: ())
    record, writes = IncidentTable.record_report, iter(range(1, 100))

    def dying(self: IncidentTable, *arguments: Any) -> None:
        record(self, *arguments)
        if next(writes) == dies_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(IncidentTable, "record_report", dying)
    proof = ProofTable(
        dynamodb=boto3.client("dynamodb", region_name="eu-central-1"), table="state"
    )
    proof.keep(proven=True, at=MONDAY)
    week = {"report": "week", "due_at": "2026-11-30T09:30:00Z"}
    with pytest.raises(KeyboardInterrupt):
        handler.handle(week, CONTEXT)
    handler.handle(week, CONTEXT)
    assert sorted(one.message.headline for one in waiting()) == [
        "cost",
        "data-eng is near its budget",
    ]
    # something that was shown to wake nobody did
    assert not proof.is_proven()
