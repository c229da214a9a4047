"""A day and a night of real data, with two things that go wrong: who hears of what."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lambdas.core.reports.estimate import (
    A_CHECK,
    A_PULL,
    MONTH,
    PAGES_A_DAY,
    PULL_GB,
    SMALL_GB,
    Assumptions,
    monthly_cost,
)
from lambdas.core.sql import names
from local.scenarios.replay import Diary, Replay, Told, flat_alarms
from local.scenarios.story import Turn
from tests.local.conftest import STORY_STARTS
from tests.local.embedded_world import REPORTS, World
from tests.local.shell import Shell

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
    assert late.subject.startswith("flights ")
    assert late.subject.endswith(" (update)")
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


def test_an_estimate_of_the_day_agrees_with_the_day(
    diary: Diary, embedded: World
) -> None:
    """Within a tenth: invocations, and GB-seconds by the time that was measured."""
    del diary
    host, project = embedded.stack.host, embedded.stack.project
    pulls, checks = host.usage("pull"), host.usage("freshness")
    days = (END - STORY_STARTS) / timedelta(days=1)
    found = monthly_cost(
        project.catalogue.datasets,
        start=STORY_STARTS,
        check_every=timedelta(minutes=project.environment.check_every_minutes),
        assumed=Assumptions(
            seconds_a_pull=pulls.seconds / pulls.invocations,
            seconds_a_check=checks.seconds / checks.invocations,
        ),
    )
    counts = found.frequencies
    assert counts.pulls_a_day * days == pytest.approx(pulls.invocations, rel=0.1)
    assert counts.checks_a_day * days == pytest.approx(checks.invocations, rel=0.1)
    items = {line.item: line.quantity * days / MONTH for line in found.lines}
    measured = pulls.seconds * PULL_GB + checks.seconds * SMALL_GB
    # the repair function and the page take time of their own
    others = counts.checks_a_day * days * 0.5 * checks.seconds / checks.invocations
    pages = PAGES_A_DAY * days * (1 + counts.datasets / 100)
    of_others = (others + pages) * SMALL_GB
    assert items["lambda_gb_seconds"] - of_others == pytest.approx(measured, rel=0.1)


# A week later: what the day has cost, and what became of access.

MONDAY = STORY_STARTS.replace(hour=9) + timedelta(days=7)


@pytest.fixture
def later(diary: Diary, embedded: World) -> World:
    del diary
    embedded.now = MONDAY
    embedded.stack.set_clock(MONDAY)
    return embedded


def test_the_week_says_what_woke_the_warehouse_and_for_whom(
    later: World, shell: Shell
) -> None:
    code, week = shell.json("cost")
    assert (code, week["simulated"], week["not_seen"]) == (0, True, [])
    checks = later.stack.answers("freshness")
    assert week["wake_ups"] >= sum(one["wake_ups"] for one in checks) > 0
    assert week["wake_ups_before"] == 0
    of_us = {"flights", "weather"}
    shares = [one["wake_ups"] for one in week["by_dataset"].values()]
    assert sum(shares) == pytest.approx(week["wake_ups"], abs=0.1)
    assert of_us <= week["by_dataset"].keys()
    billed = sum(one["credits"] for one in week["by_dataset"].values())
    assert billed == pytest.approx(week["credits"], abs=0.001)
    # a minute each at least, and little more
    assert 1 <= week["credits"] * 60 / week["wake_ups"] <= 1.2
    (grew,) = [one for one in week["more_than_before"] if one.startswith("flights")]
    assert "checks for it woke" in grew
    assert "nothing the week before" in grew
    # a day with two incidents: what was on time woke it as often as estimated
    of_late = next(one for one in week["beside_the_estimate"] if "was late" in one)
    late = int(of_late.split()[0])
    assert 0 < late < week["wake_ups"]
    assert "of them while it was late" in grew
    _, out, _ = shell("cost")
    assert out.startswith("Snowflake from 2013-01-01 to 2013-01-08 (simulated): ")


def test_grants_by_hand_and_a_removed_role_are_found_and_their_person_by_choice(
    later: World, shell: Shell
) -> None:
    project = later.stack.project.environment
    table = names.raw_table(project.snowflake.database, "flights")
    owner = project.snowflake.admin.role
    account = later.stack.snowflake
    account.administer(
        ["CREATE ROLE CURIOUS", "CREATE ROLE LEFT_OVER", "CREATE USER MIA",
         "GRANT ROLE CURIOUS TO USER MIA", f"GRANT ROLE {owner} TO USER ADMINISTRATOR"],
        role="USERADMIN",
    )  # fmt: skip
    for role in ("CURIOUS", "LEFT_OVER"):
        grant = f"GRANT SELECT ON TABLE {table} TO ROLE {role}"
        account.administer([grant], role=owner)
    later.stack.set_clock(MONDAY + timedelta(hours=1))
    account.administer(["DROP ROLE LEFT_OVER"], role="USERADMIN")
    later.now = MONDAY + timedelta(hours=6)
    later.stack.set_clock(later.now)

    code, week = shell.json("access", "--week")
    assert code == 0
    found = [one[21:] for one in week["granted_and_removed"]]
    on_flights = "read flights (SELECT on RAW.FLIGHTS)"
    assert f"role CURIOUS may now {on_flights}; granted by role {owner}" in found
    assert (f"role LEFT_OVER may no longer {on_flights}; the role was removed") in found
    assert (
        "user MIA was given role CURIOUS, which may read flights; "
        "granted by role USERADMIN"
    ) in found
    # whatever bootstrap and deploy granted is none of these
    by_hand = ("CURIOUS", "LEFT_OVER", "user ADMINISTRATOR")
    assert [one for one in found if not any(map(one.__contains__, by_hand))] == []
    assert any("reads_queries" in one for one in week["not_seen"])
    assert week["not_used_in_90_days"] == []

    reporter = project.snowflake.report_login.role
    account.administer(
        [f"GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE {reporter}"]
    )
    _, week = shell.json("access", "--week")
    assert week["not_seen"] == []
    (typed,) = [one for one in week["granted_and_removed"] if "role CURIOUS may" in one]
    assert typed.endswith("typed by ADMINISTRATOR")
    assert (
        "role CURIOUS may read flights, and has asked nothing"
        in week["not_used_in_90_days"]
    )


def test_the_function_tells_engineers_of_both_once_a_week(later: World) -> None:
    """What was done by hand above, by the deployed function under its own role."""
    later.now = MONDAY + timedelta(hours=6)
    later.stack.set_clock(later.now)
    event = {"report": "week", "due_at": MONDAY.isoformat()}
    function = later.function(REPORTS)
    answer = later.stack.host.invoke(function, event, now=later.now)
    assert answer["notices"] >= 2
    again = later.stack.host.invoke(function, event, now=later.now)
    assert again["notices"] == 0
    later.stack.topics.read()
    later.check()
    told = {
        mail.subject.partition(" from ")[0]: mail for mail in later.stack.topics.read()
    }
    cost, access = told["Snowflake"], told["Access"]
    assert "2013-01-01 to 2013-01-08 (simulated)" in cost.subject
    assert "(simulated)" in access.subject
    for said in (
        "role CURIOUS may now read flights (SELECT on RAW.FLIGHTS); granted by role",
        "typed by ADMINISTRATOR",
        "role LEFT_OVER may no longer read flights",
        "role CURIOUS may read flights, and has asked nothing",
        "by catflap's own bootstrap and deploy",
    ):
        assert said in access.body
    for said in ("nothing the week before: checks for it woke", "while it was late"):
        assert said in cost.body
