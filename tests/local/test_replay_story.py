"""A day and a night of real data, with two things that go wrong: who hears of what."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lambdas.core.reports.estimate import A_CHECK, A_PULL
from local.scenarios.replay import Diary, Replay, Told, flat_alarms
from local.scenarios.story import Turn
from tests.local.conftest import STORY_STARTS
from tests.local.embedded_world import World

FLAT_THRESHOLD = timedelta(hours=4)
"""Three hours, and one until the rows of an hour are loaded."""

END = STORY_STARTS + timedelta(hours=23)


def _at(hours: float) -> datetime:
    return STORY_STARTS + timedelta(hours=hours)


QUIET_FROM, QUIET_UNTIL = _at(2.5), _at(6.05)
PAUSED_FROM, PAUSED_UNTIL = _at(6.75), _at(10.4)


@pytest.fixture(scope="module")
def diary(embedded: World) -> Diary:
    turns = (
        Turn(
            at=QUIET_FROM,
            told="upstream goes quiet",
            act=lambda stage: stage.hold_upstream("flights"),
        ),
        Turn(
            at=QUIET_UNTIL,
            told="upstream catches up",
            act=lambda stage: stage.release_upstream("flights"),
        ),
        Turn(
            at=PAUSED_FROM,
            told="somebody pauses the pipe",
            act=lambda stage: stage.pause_pipe("flights"),
        ),
        Turn(
            at=PAUSED_UNTIL,
            told="the engineer resumes it",
            act=lambda stage: stage.resume_pipe("flights"),
        ),
    )
    replay = Replay(
        stack=embedded.stack,
        upstream=embedded.upstream,
        start=STORY_STARTS,
        end=END,
        turns=turns,
        progress=lambda _: None,
    )
    return replay.live()


def _told(diary: Diary, since: datetime, until: datetime) -> list[Told]:
    return [one for one in diary.told if since <= one.at < until]


def test_a_quiet_upstream_is_told_to_stakeholders_and_pages_nobody(
    diary: Diary,
) -> None:
    told = _told(diary, QUIET_FROM, PAUSED_FROM)
    assert {one.mail.audience for one in told} == {"stakeholders"}
    late, recovered = told
    assert late.mail.subject == "flights is late"
    assert _at(5) <= late.at <= _at(5.5)
    assert recovered.mail.subject == "flights is up to date again"
    assert recovered.at > QUIET_UNTIL


def test_a_paused_pipe_is_told_as_a_risk_and_then_as_late(diary: Diary) -> None:
    told = _told(diary, PAUSED_FROM, PAUSED_UNTIL)
    risk, late = (one.mail for one in told if one.mail.audience == "engineers")
    assert risk.subject.startswith("flights at risk: ")
    assert late.subject.startswith("Changed: flights ")
    for mail in (risk, late):
        assert "Where it stopped: load: pipe_stopped" in mail.body
        assert "PAUSED" in mail.body
        step = mail.body.partition("Next step: ")[2].partition("\n")[0]
        assert "ALTER PIPE" in step
        assert "PIPE_EXECUTION_PAUSED" in step
    (news,) = (one.mail for one in told if one.mail.audience == "stakeholders")
    assert news.subject == "flights is late"
    assert "ALTER PIPE" not in news.body


def _is_of_loads(told: Told) -> bool:
    """That the pipe runs again, which the look after the next check may find."""
    return told.mail.subject == "loading: pipe_stopped is over"


def test_the_recovery_is_told_to_those_who_were_told_of_the_incident(
    diary: Diary,
) -> None:
    before = _told(diary, PAUSED_FROM, PAUSED_UNTIL)
    after = [one for one in _told(diary, PAUSED_UNTIL, END) if not _is_of_loads(one)]
    assert {one.mail.subject for one in after} == {"flights is up to date again"}
    assert {one.mail.audience for one in after} == {one.mail.audience for one in before}
    assert max(one.at for one in after) < PAUSED_UNTIL + timedelta(minutes=45)


def test_the_night_in_which_nothing_leaves_wakes_nobody(
    embedded: World, diary: Diary
) -> None:
    """Between the last flight of a day and the first of the next lie six hours."""
    told = _told(diary, PAUSED_UNTIL + timedelta(minutes=45), END)
    assert [one for one in told if not _is_of_loads(one)] == []
    hours = [
        datetime.fromisoformat(str(row[-1]))
        for row in embedded.upstream.tables["flights"].released()
    ]
    night = [hour for hour in hours if hour >= PAUSED_UNTIL]
    assert flat_alarms(night, threshold=FLAT_THRESHOLD, until=END) == 1


def test_nothing_failed_and_no_row_was_lost_or_doubled(
    embedded: World, diary: Diary
) -> None:
    assert diary.moments > 60
    assert embedded.stack.failures() == []
    for dataset in ("flights", "weather"):
        comparison = embedded.compared(dataset)
        assert comparison.upstream > 50
        assert comparison.faults == ()


def test_the_warehouse_slept_through_most_checks(embedded: World, diary: Diary) -> None:
    checks = embedded.stack.answers("freshness")
    every = timedelta(minutes=embedded.stack.project.environment.check_every_minutes)
    assert len(checks) == (END - STORY_STARTS) // every - 1
    woken = sum(one["wake_ups"] for one in checks)
    assert 0 < woken < len(checks) / 2
    assert diary.told


def test_what_an_estimate_says_of_a_pull_a_check_and_a_page_is_what_they_call(
    diary: Diary, embedded: World
) -> None:
    """Within a tenth. A run that landed is seen to be loaded by the repair function."""
    del diary
    host = embedded.stack.host
    pulls = host.usage("pull")
    each = {name: count / pulls.invocations for name, count in pulls.calls.items()}
    upload = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
    objects = pulls.calls["s3.CompleteMultipartUpload"]
    an_object = sum(pulls.calls[f"s3.{name}"] for name in upload) / objects
    puts = an_object + each["s3.PutObject"]
    parts = each["dynamodb.TransactWriteItems parts"]
    assert puts == pytest.approx(A_PULL["s3_puts"], rel=0.1)
    assert each["dynamodb.GetItem"] == pytest.approx(A_PULL["dynamodb_reads"], rel=0.1)
    writes = each["dynamodb.PutItem"] + 2 * parts + 2
    assert writes == pytest.approx(A_PULL["dynamodb_writes"], rel=0.1)
    checks = host.usage("freshness")
    queries = checks.calls["dynamodb.Query"] / checks.invocations
    assert queries == pytest.approx(A_CHECK["dynamodb_reads"], rel=0.2)
