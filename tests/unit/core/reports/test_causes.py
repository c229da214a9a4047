"""What a month's incidents came from, and what to mend first."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.dataset import Dataset
from lambdas.core.freshness.attainment import Day
from lambdas.core.incidents.incident import (
    Ending,
    HumanSide,
    Incident,
    Recipient,
    SentNotice,
)
from lambdas.core.incidents.message import as_mail
from lambdas.core.incidents.verdicts.api import api_name
from lambdas.core.reports.causes import (
    CausesFacts,
    CausesReport,
    causes_document,
    causes_message,
    causes_notices,
    causes_report,
    month_before,
)
from lambdas.core.slack.blocks import as_slack
from local.slack.limits import refusal
from tests.datasets import a_dataset
from tests.pages import a_tally, a_watch, an_incident

UNTIL = datetime(2026, 12, 1, 6, 30, tzinfo=UTC)
SINCE = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CATS = a_dataset()


def over(
    opened_at: datetime,
    *,
    hours: float = 1,
    dataset: str = "cats",
    cause: str | None = "pipe_stopped",
    fix: str | None = None,
    pages: int = 0,
    **changes: object,
) -> Incident:
    sent = [
        SentNotice(
            at=opened_at + n * HOUR,
            audience="engineers",
            channel=channel,
            kind="opened",
            page=True,
        )
        for n in range(pages)
        for channel in ("sns", "slack")
    ]
    fields: dict[str, object] = {
        "incident_id": f"{dataset}-{opened_at:%Y%m%dT%H%M%SZ}",
        "opened_at": opened_at,
        "late_since": opened_at,
        "resolved_at": opened_at + hours * HOUR,
        "ended_by": Ending.RECOVERED,
        "cause": cause,
        "human": HumanSide(fix_url=fix),
        "notices": tuple(sent),
    }
    return an_incident(dataset, **{**fields, **changes})


def facts(
    *incidents: Incident, datasets: tuple[Dataset, ...] = (CATS,), team: str = "cats"
) -> CausesFacts:
    return CausesFacts(
        team=team,
        since=SINCE,
        until=UNTIL,
        datasets=datasets,
        incidents=incidents,
        watches={one.name: a_watch(one.name) for one in datasets},
    )


def report(*incidents: Incident, **more: tuple[Dataset, ...]) -> CausesReport:
    return causes_report(facts(*incidents, **more))  # type: ignore[arg-type]  # by name


def text(found: CausesReport) -> str:
    message = causes_message(found)
    assert message is not None
    return as_mail(message)[1]


def test_what_comes_back_without_a_fix_stands_first() -> None:
    said = report(
        over(SINCE + DAY, hours=30, cause="upstream_quiet"),
        over(SINCE + 3 * DAY, hours=2, pages=1),
        over(SINCE + 4 * DAY, hours=1, pages=1),
        over(SINCE + 5 * DAY, hours=9, cause="schema_changed"),
        over(SINCE + 6 * DAY, hours=9, cause="schema_changed", fix="https://x/1"),
    )
    assert [one.name for one in said.causes] == [
        "pipe_stopped",
        "upstream_quiet",
        "schema_changed",
    ]
    assert [one.comes_back for one in said.causes] == [True, False, False]
    body = text(said)
    assert (
        "Comes back, and has no fix:\n- pipe_stopped: 2 incidents, 3 h out of promise, "
        "2 pages; cats; name a fix: `catflap incident cats-20261105T063000Z --fix URL`"
    ) in body
    assert (
        "schema_changed: 2 incidents, 18 h out of promise; cats; fix: https://x/1"
        in (body)
    )


def test_an_incident_counts_with_what_of_it_lies_in_the_month() -> None:
    said = report(
        over(SINCE - 2 * HOUR, hours=5),
        over(UNTIL - HOUR, hours=9),
        over(UNTIL - 2 * HOUR, resolved_at=None, ended_by=None, pages=1),
        over(SINCE - 3 * DAY, hours=4, pages=1),
        over(SINCE - 40 * DAY, hours=4),
    )
    assert (said.total.incidents, said.total.out_s, said.total.pages) == (3, 21_600, 1)
    assert (said.before.incidents, said.before.out_s) == (2, 21_600)
    assert "(before: 2 incidents, 6 h out of promise, 1 page)" in text(said)


def test_quiet_time_is_not_out_of_the_promise() -> None:
    calendar = {"timezone": "UTC", "quiet": ["00:00-05:00"]}
    freshness = {"warn_after": {"count": 1, "period": "hour"}, "calendar": calendar}
    owls = a_dataset(name="cats", freshness=freshness)
    late = over(datetime(2026, 11, 3, 23, tzinfo=UTC), hours=7)
    assert report(late, datasets=(owls,)).total.out_s == 2 * 3_600


def test_a_false_alarm_is_no_cause_and_no_lateness() -> None:
    said = report(
        *(over(SINCE + n * DAY, ended_by=Ending.FALSE_ALARM) for n in range(3))
    )
    (one,) = said.causes
    assert (one.name, one.comes_back, one.figures.out_s) == ("false_alarm", False, 0)


def test_a_persons_word_on_the_cause_counts() -> None:
    human = HumanSide(cause="schema_changed")
    assert report(over(SINCE + DAY, human=human)).causes[0].name == "schema_changed"
    assert report(over(SINCE + DAY, cause=None)).causes[0].name == "not_known"


def test_the_credentials_of_an_api_count_with_their_pages() -> None:
    name = api_name(CATS)
    assert name is not None
    rejected = over(
        SINCE + DAY,
        dataset=name,
        cause="credentials_rejected",
        late_since=None,
        pages=1,
    )
    said = report(rejected)
    assert [one.name for one in said.apis] == ["127.0.0.1:1"]
    assert said.total.pages == 1
    assert facts(rejected).of((CATS,)).incidents == [rejected]


def test_promises_of_people_and_of_datasets_are_told() -> None:
    bad = Day(day="2026-11-20", error_s=86_400 / 2)
    dogs = a_dataset(name="dogs")
    known = facts(
        over(SINCE + DAY, promise="kept"),
        over(SINCE + 2 * DAY, promise="missed", dataset="dogs"),
        over(SINCE + 3 * DAY, promise="missed"),
        datasets=(CATS, dogs),
    )
    watches = {**known.watches, "dogs": a_watch("dogs", tally=a_tally(bad))}
    body = text(
        causes_report(
            CausesFacts(
                team="cats",
                since=SINCE,
                until=UNTIL,
                datasets=known.datasets,
                incidents=known.incidents,
                watches=watches,
            )
        )
    )
    assert "Times promised by people:\n- 1 kept, 2 missed" in body
    assert "- all 2: 99.17% of due time in the last 30 days" in body
    assert (
        "- dogs: 98.33% of due time in the last 30 days; the error budget is " in body
    )
    assert "spent 1.7 times" in body


def test_a_month_without_incidents_is_short_and_one_unwatched_is_none() -> None:
    body = text(report())
    assert body.startswith("cats, 1 Nov to 1 Dec: no incident\n")
    assert "100.00% of due time" in body
    nothing = CausesFacts(since=SINCE, until=UNTIL, datasets=(CATS,), incidents=())
    assert causes_message(causes_report(nothing)) is None


@pytest.mark.parametrize(
    ("until", "since"),
    [
        ("2026-12-01T07:30:00+01:00", "2026-11-01T07:30:00+01:00"),
        ("2026-04-01T07:30:00+02:00", "2026-03-01T07:30:00+01:00"),
        ("2026-03-31T07:30:00+02:00", "2026-02-28T07:30:00+01:00"),
        ("2026-01-01T07:30:00+01:00", "2025-12-01T07:30:00+01:00"),
    ],
)
def test_a_month_is_one_of_the_wall(until: str, since: str) -> None:
    begun = month_before(datetime.fromisoformat(until), "Europe/Berlin")
    assert begun == datetime.fromisoformat(since)


def test_engineers_of_each_channel_hear_of_their_own_and_nobody_else() -> None:
    datasets = tuple(
        a_dataset(name=name, owner={"team": "cats", "slack": f"#{name}"})
        for name in ("cats", "dogs")
    )
    incidents = [over(SINCE + DAY, dataset=one.name) for one in datasets]
    routes = {
        Recipient.ENGINEERS: ("sns", "slack", "pagerduty"),
        Recipient.STAKEHOLDERS: ("sns", "slack"),
    }
    made = causes_notices(
        facts(*incidents, datasets=datasets), routes=routes, now=UNTIL
    )
    found = {(one.channel, one.address): str(one.message) for one in made}
    assert set(found) == {("sns", None), ("slack", "#cats"), ("slack", "#dogs")}
    assert "dogs" not in found["slack", "#cats"]
    assert made[0].notice_id == "causes-cats-2026-12-01-engineers.sns"
    assert not any(one.page or one.mention for one in made)


def test_five_hundred_datasets_and_hostile_words_have_bounds() -> None:
    datasets = tuple(a_dataset(name=f"d{n:03}" + "x" * 44) for n in range(500))
    incidents = [
        over(SINCE + DAY, dataset=one.name, fix="https://x/<!channel>" + "y" * 9_000)
        for one in datasets
    ]
    message = causes_message(report(*incidents, datasets=datasets))
    assert message is not None
    assert len(as_mail(message)[1]) < 12_000
    shaped = as_slack(message)
    assert refusal(shaped) is None
    assert "<!channel>" not in str(shaped)


def test_programs_read_the_same() -> None:
    found = causes_document(
        report(over(SINCE + DAY, hours=2, pages=1), over(SINCE + 2 * DAY))
    )
    assert json.loads(json.dumps(found)) == found
    assert found["total"] == {
        "incidents": 2,
        "minutes_out_of_promise": 180.0,
        "pages": 1,
    }
    (cause,) = found["causes"]
    assert (cause["cause"], cause["times"], cause["datasets"]) == (
        "pipe_stopped",
        2,
        ["cats"],
    )
    assert cause["comes_back_without_fix"] is True
    assert found["attainment"][0]["share"] == 1.0
