"""What time alone brings to an incident, and what it is remembered by."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.human import PersonReport, reported
from lambdas.core.incidents.incident import (
    CauseTime,
    Ending,
    HumanSide,
    Incident,
    NoticeKind,
    Recipient,
    Transition,
    advance,
    retired,
)
from lambdas.core.incidents.notice import notices, with_notices
from lambdas.core.incidents.quality import CHECKS_FAILED
from tests.datasets import a_dataset
from tests.watched import HOUR, NOW, a_verdict

ENGINEERS, STAKEHOLDERS, SYSTEMS = Recipient
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
REOPEN_WITHIN = 6 * HOUR
WELL = a_verdict("pass", None)
LATE = a_verdict("error", "pipe_stopped")
QUIET = a_verdict("error", "upstream_quiet")
BLIND = a_verdict("unknown", "monitor_blind")
OVERDUE_TO_ALL = {(NoticeKind.OVERDUE, ENGINEERS), (NoticeKind.OVERDUE, STAKEHOLDERS)}


def opened(verdict: Verdict = LATE, **more: Any) -> Incident:
    return of(advance(None, verdict, now=NOW, **more))


def of(transition: Transition) -> Incident:
    assert transition.incident is not None
    return transition.incident


def said(transition: Transition) -> set[tuple[NoticeKind, Recipient]]:
    told = [(one.kind, one.audience) for one in transition.announcements]
    assert len(told) == len(set(told))
    return set(told)


def promised(incident: Incident, at: datetime, **more: Any) -> Incident:
    """The same, once stakeholders were told when a person expects it."""
    human = dataclasses.replace(incident.human, promised_for=at, **more)
    return dataclasses.replace(incident, human=human, told_expected=at)


# a time that was told ----------------------------------------------------------------
def test_what_is_told_says_when_it_is_expected_if_that_is_to_come() -> None:
    assert opened().told_expected is None
    for eta, told in ((NOW + HOUR, NOW + HOUR), (NOW, None), (NOW - HOUR, None)):
        assert opened(dataclasses.replace(LATE, eta=eta)).told_expected == told
    ours = dataclasses.replace(
        opened(dataclasses.replace(QUIET, eta=NOW + HOUR)),
        human=HumanSide(promised_for=NOW + 2 * HOUR),
    )
    assert ours.expected_at == NOW + 2 * HOUR
    again = of(advance(ours, dataclasses.replace(LATE, eta=NOW + HOUR), now=NOW))
    assert again.told_expected == NOW + 2 * HOUR


def test_signals_whose_time_has_passed_once_are_not_quoted_again() -> None:
    first = opened(dataclasses.replace(QUIET, eta=NOW + HOUR))
    passed = advance(first, QUIET, now=NOW + HOUR)
    assert said(passed) == {(NoticeKind.OVERDUE, STAKEHOLDERS)}
    assert (of(passed).eta_missed, of(passed).told_expected) == (True, None)
    assert of(passed).promise is None
    other = dataclasses.replace(LATE, eta=NOW + 5 * HOUR)
    told = of(advance(of(passed), other, now=NOW + 2 * HOUR))
    assert told.told_expected is None
    person = dataclasses.replace(
        of(passed), human=HumanSide(promised_for=NOW + 5 * HOUR)
    )
    assert of(advance(person, other, now=NOW + 2 * HOUR)).told_expected == (
        NOW + 5 * HOUR
    )


def test_a_time_passes_at_its_very_moment_and_not_before() -> None:
    due = promised(opened(), NOW + HOUR)
    assert said(advance(due, LATE, now=NOW + HOUR - MINUTE)) == set()
    assert said(advance(due, LATE, now=NOW + HOUR)) == OVERDUE_TO_ALL


def test_whoever_promised_hears_that_it_was_missed_though_never_told_before() -> None:
    due = promised(opened(QUIET), NOW + HOUR)
    assert due.told == (STAKEHOLDERS,)
    passed = advance(due, QUIET, now=NOW + HOUR)
    assert said(passed) == OVERDUE_TO_ALL
    after = of(passed)
    assert after.told == (ENGINEERS, STAKEHOLDERS)
    assert (after.promise, after.told_expected) == ("missed", None)
    assert after.version == due.version + 1
    assert said(advance(after, QUIET, now=NOW + 2 * HOUR)) == set()


def test_that_a_promise_was_missed_is_the_greater_news() -> None:
    due = promised(opened(), NOW + HOUR)
    other = dataclasses.replace(LATE, cause="load_failed")
    assert said(advance(due, other, now=NOW + HOUR)) == {
        (NoticeKind.CHANGED, ENGINEERS),
        (NoticeKind.OVERDUE, STAKEHOLDERS),
    }
    signals = dataclasses.replace(opened(), told_expected=NOW + HOUR)
    assert said(advance(signals, other, now=NOW + HOUR)) == {
        (NoticeKind.CHANGED, ENGINEERS),
        (NoticeKind.CHANGED, STAKEHOLDERS),
    }


def test_nothing_is_overdue_of_what_is_over_unread_or_told_of_with_another() -> None:
    due, now = promised(opened(), NOW + HOUR), NOW + 2 * HOUR
    over = advance(due, WELL, now=now)
    echo = advance(due, LATE, now=now, inhibited_by="airlines")
    kinds = {kind for kind, _ in said(over) | said(echo)}
    assert NoticeKind.OVERDUE not in kinds
    blind_first = promised(opened(BLIND), NOW + HOUR)
    assert said(advance(blind_first, BLIND, now=now)) == set()
    waits = dataclasses.replace(due, well_since=NOW, reopened_at=(NOW, NOW))
    assert said(advance(waits, WELL, now=now)) == set()


# the morning -------------------------------------------------------------------------
MORNING = NOW + 20 * HOUR


@pytest.mark.parametrize(
    ("told_at", "now", "is_told"),
    [
        (NOW, MORNING, True),
        (NOW, MORNING - MINUTE, False),
        (MORNING - 12 * HOUR, MORNING, True),
        (MORNING - 12 * HOUR + MINUTE, MORNING, False),
        (MORNING, MORNING + 13 * HOUR, False),
        (None, MORNING, False),
    ],
)
def test_a_morning_brings_a_line_once_and_not_right_after_another_message(
    told_at: datetime | None, now: datetime, *, is_told: bool
) -> None:
    incident = dataclasses.replace(opened(QUIET), stakeholders_told_at=told_at)
    line = advance(incident, QUIET, now=now, morning=MORNING)
    wanted = {(NoticeKind.DAILY, STAKEHOLDERS)} if is_told else set()
    assert said(line) == wanted
    assert of(line).stakeholders_told_at == (now if is_told else told_at)


def test_no_morning_brings_a_line_to_who_was_not_told_or_is_told_otherwise() -> None:
    late = opened(QUIET)
    assert said(advance(late, QUIET, now=MORNING)) == set()
    engineers = dataclasses.replace(late, told=(ENGINEERS,))
    risk = dataclasses.replace(QUIET, tell=frozenset())
    assert said(advance(engineers, risk, now=MORNING, morning=MORNING)) == set()
    other = dataclasses.replace(LATE, cause="load_failed")
    changed = said(advance(late, other, now=MORNING, morning=MORNING))
    assert (NoticeKind.CHANGED, STAKEHOLDERS) in changed
    assert (NoticeKind.DAILY, STAKEHOLDERS) not in changed


def test_only_a_message_to_stakeholders_counts_as_one_to_them() -> None:
    assert opened().stakeholders_told_at == NOW
    assert opened(BLIND).stakeholders_told_at is None


# a snooze, and a silence -------------------------------------------------------------
@pytest.mark.parametrize(
    ("passed", "is_new"), [(REOPEN_WITHIN, False), (2 * REOPEN_WITHIN, True)]
)
def test_a_snooze_outlives_an_end_that_was_none(
    passed: timedelta, *, is_new: bool
) -> None:
    """What is the same incident, and has paged for its cause, pages no more for it."""
    until = NOW + DAY
    human = HumanSide(snoozed_until=until)
    over = dataclasses.replace(over_at(NOW + HOUR), human=human)
    now = NOW + HOUR + passed
    back = advance(None, LATE, now=now, earlier=over)
    assert said(back) <= {(NoticeKind.OPENED, SYSTEMS)}
    assert of(back).human.snoozed_until == until
    told = advance(of(back), LATE, now=until)
    assert (NoticeKind.OPENED, ENGINEERS) in said(told)
    assert any(one.page for one in told.announcements) == is_new


def test_a_snooze_is_of_the_causes_that_were_found_and_ends_with_a_persons_word() -> (
    None
):
    human = HumanSide(snoozed_until=NOW + DAY)
    now = NOW + HOUR + 2 * REOPEN_WITHIN
    for over, verdict in (
        (over_at(NOW + HOUR), a_verdict("error", "load_failed", tell=LATE.tell)),
        (over_at(NOW + HOUR, Ending.CLOSED), LATE),
    ):
        earlier = dataclasses.replace(over, human=human)
        back = advance(None, verdict, now=now, earlier=earlier)
        assert (NoticeKind.OPENED, ENGINEERS) in said(back)


def test_who_heard_of_a_report_only_hears_that_it_is_late() -> None:
    report = PersonReport(dataset="cats", by="mia", words="no cats", key="k")
    step = reported(None, report, now=NOW)
    passing = a_verdict("error", "pull_due", tell=frozenset(("stakeholders",)))
    late = advance(of(step), passing, now=NOW + MINUTE)
    assert (NoticeKind.OPENED, STAKEHOLDERS) in said(late)
    assert (NoticeKind.CHANGED, ENGINEERS) in said(late)


def test_what_a_snooze_kept_back_is_news_when_it_is_over() -> None:
    late, until = opened(), NOW + 9 * HOUR
    snoozed = dataclasses.replace(late, human=HumanSide(snoozed_until=until))
    other = dataclasses.replace(LATE, cause="load_failed", page=True)
    kept = advance(snoozed, other, now=until - MINUTE)
    assert said(kept) == set()
    assert of(kept).cause == "load_failed"
    for name in ("told", "causes", "paged_for", "paged_at", "blind_since"):
        assert getattr(of(kept), name) == getattr(late, name)
    over = advance(of(kept), other, now=until)
    assert (NoticeKind.CHANGED, ENGINEERS) in said(over)
    assert [one.page for one in over.announcements].count(True) == 1


def test_a_snooze_keeps_no_blindness_back_for_good() -> None:
    human = HumanSide(snoozed_until=NOW + 9 * HOUR)
    snoozed = dataclasses.replace(opened(), human=human)
    blind = advance(snoozed, BLIND, now=NOW + HOUR)
    assert said(blind) == set()
    assert of(blind).blind_since is None
    told = advance(of(blind), BLIND, now=NOW + 9 * HOUR)
    assert said(told) == {(NoticeKind.BLIND, ENGINEERS)}


def test_a_promise_that_passes_in_a_snooze_is_missed_when_it_is_told() -> None:
    ours = promised(opened(), NOW + HOUR, snoozed_until=NOW + 3 * HOUR)
    quiet = advance(ours, LATE, now=NOW + 2 * HOUR)
    assert said(quiet) == set()
    assert of(quiet).promise is None
    told = advance(of(quiet), LATE, now=NOW + 4 * HOUR)
    assert said(told) == OVERDUE_TO_ALL
    assert of(told).promise == "missed"


@pytest.mark.parametrize(
    ("code", "asked"), [("pipe_stopped", False), ("credentials_rejected", True)]
)
def test_who_acknowledged_what_comes_back_is_asked_again_if_it_pages(
    code: str, *, asked: bool
) -> None:
    human = HumanSide(acknowledged_at=NOW + MINUTE, acknowledged_by="ann")
    over = of(advance(dataclasses.replace(opened(), human=human), WELL, now=NOW + HOUR))
    verdict = a_verdict("error", code, page=True)
    again = of(advance(None, verdict, now=NOW + 2 * HOUR, earlier=over))
    assert again.incident_id == over.incident_id
    assert (again.human.acknowledged_at, again.human.acknowledged_by) == (
        (None, None) if asked else (NOW + MINUTE, "ann")
    )
    assert again.paged_at == (NOW + 2 * HOUR if asked else NOW)


def test_what_is_over_keeps_the_time_that_was_told() -> None:
    late = opened(dataclasses.replace(LATE, eta=NOW + 5 * HOUR))
    over = of(advance(late, WELL, now=NOW + HOUR))
    assert over.told_expected == late.told_expected == NOW + 5 * HOUR
    late = dataclasses.replace(late, told_expected=NOW + 2 * HOUR)
    over = of(advance(late, WELL, now=NOW + HOUR))
    assert over.told_expected == NOW + 2 * HOUR


def test_each_change_of_an_incident_is_a_version_of_its_own() -> None:
    story = (
        (MINUTE, QUIET), (HOUR, BLIND), (26 * HOUR, BLIND), (51 * HOUR, BLIND),
        (52 * HOUR, LATE), (77 * HOUR, LATE), (78 * HOUR, WELL),
    )  # fmt: skip
    incident = opened()
    versions = [incident.version]
    for after, verdict in story:
        incident = of(advance(incident, verdict, now=NOW + after))
        versions.append(incident.version)
    assert versions == list(range(1, len(story) + 2))


def test_a_blindness_that_comes_back_is_no_news_and_puts_no_reminder_off() -> None:
    blind = of(advance(opened(), BLIND, now=NOW + HOUR))
    read = of(advance(blind, LATE, now=NOW + 2 * HOUR))
    again = advance(read, BLIND, now=NOW + 3 * HOUR)
    assert said(again) == set()
    assert of(again).blind_since == NOW + 3 * HOUR
    assert of(again).paged_at == read.paged_at == NOW + HOUR


def test_what_is_over_is_not_blind_whoever_has_snoozed_it() -> None:
    blind = of(advance(opened(), BLIND, now=NOW + HOUR))
    human = HumanSide(snoozed_until=NOW + 9 * HOUR)
    over = advance(dataclasses.replace(blind, human=human), WELL, now=NOW + 2 * HOUR)
    assert of(over).blind_since is None


def test_systems_hear_of_what_people_have_silenced() -> None:
    silent = advance(None, LATE, now=NOW, is_silenced=True)
    assert said(silent) == {(NoticeKind.OPENED, SYSTEMS)}
    kept = of(silent)
    assert (kept.told, kept.causes, kept.paged_for, kept.paged_at) == ((), (), (), None)
    assert kept.stakeholders_told_at is None
    still = advance(kept, LATE, now=NOW + HOUR, is_silenced=True)
    assert said(still) == set()
    over = advance(of(still), LATE, now=NOW + 2 * HOUR)
    assert said(over) == {
        (NoticeKind.OPENED, ENGINEERS),
        (NoticeKind.OPENED, STAKEHOLDERS),
    }
    assert [one.audience for one in over.announcements if one.page] == [ENGINEERS]


def test_a_silence_that_comes_later_takes_back_nothing_that_was_said() -> None:
    late = opened()
    same = advance(late, LATE, now=NOW + HOUR, is_silenced=True)
    assert same == Transition(incident=late)
    end = advance(late, WELL, now=NOW + 2 * HOUR, is_silenced=True)
    assert of(end).told == late.told


def test_a_silence_hides_no_end_and_what_comes_back_under_one() -> None:
    end = advance(opened(), WELL, now=NOW + HOUR, is_silenced=True)
    assert {kind for kind, _ in said(end)} == {NoticeKind.RESOLVED}
    assert {who for _, who in said(end)} == {ENGINEERS, STAKEHOLDERS, SYSTEMS}
    back = advance(None, LATE, now=NOW + 2 * HOUR, earlier=of(end), is_silenced=True)
    assert said(back) == {(NoticeKind.OPENED, SYSTEMS)}


# what it is remembered by ------------------------------------------------------------
def test_minutes_are_counted_by_cause_until_the_end() -> None:
    first = opened()
    assert first.cause_since == NOW
    same = of(advance(first, a_verdict("warn", "pipe_stopped"), now=NOW + HOUR))
    assert (same.cause_since, same.spent) == (NOW, ())
    assert same.spent_at(NOW + HOUR) == (CauseTime(code="pipe_stopped", seconds=3600),)
    assert same.spent_at(NOW - HOUR) == (CauseTime(code="pipe_stopped", seconds=0),)
    other = of(advance(same, QUIET, now=NOW + 2 * HOUR))
    assert other.cause_since == NOW + 2 * HOUR
    over = of(advance(other, WELL, now=NOW + 3 * HOUR))
    assert over.spent == (
        CauseTime(code="pipe_stopped", seconds=7200),
        CauseTime(code="upstream_quiet", seconds=3600),
    )
    assert over.cause_since is None
    assert over.spent_at(NOW + 9 * HOUR) == over.spent


def test_the_main_cause_is_a_persons_word_or_stood_longest_or_is_the_only_one() -> None:
    stood = (
        CauseTime(code="load_pending", seconds=9),
        CauseTime(code="pipe_stopped", seconds=1),
        CauseTime(code="load_failed", seconds=2),
    )
    over = dataclasses.replace(opened(), spent=stood)
    assert over.main_cause == "load_failed"
    passing = dataclasses.replace(over, spent=stood[:1])
    assert passing.main_cause == "load_pending"
    assert dataclasses.replace(over, spent=()).main_cause == "pipe_stopped"
    told = dataclasses.replace(over, human=HumanSide(cause="upstream_down"))
    assert told.main_cause == "upstream_down"


def test_times_late_are_those_within_a_day() -> None:
    late = dataclasses.replace(opened(), reopened_at=(NOW + HOUR, NOW + 2 * HOUR))
    assert late.times_late(NOW + 3 * HOUR) == 3
    assert late.times_late(NOW + DAY - MINUTE) == 3
    assert late.times_late(NOW + DAY) == 2
    assert late.times_late(NOW + 2 * DAY) == 0


@pytest.mark.parametrize(
    ("passed", "promise"),
    [(HOUR, "kept"), (2 * HOUR, "kept"), (2 * HOUR + MINUTE, "missed")],
)
def test_a_promise_is_kept_by_data_that_came_in_time(
    passed: timedelta, promise: str
) -> None:
    human = HumanSide(promised_for=NOW + 2 * HOUR)
    late = dataclasses.replace(opened(newest_at=NOW - DAY), human=human)
    over = of(advance(late, WELL, now=NOW + passed, newest_at=NOW))
    assert over.promise == promise
    gone = of(retired(late, now=NOW + passed))
    assert gone.promise == (None if promise == "kept" else "missed")
    assert gone.newest_at == NOW - DAY


# coming back -------------------------------------------------------------------------
def over_at(now: datetime, ending: Ending = Ending.RECOVERED) -> Incident:
    ended = of(advance(opened(), WELL, now=now))
    return dataclasses.replace(ended, ended_by=ending)


def test_what_comes_back_in_time_is_the_same_one_open_again() -> None:
    human = HumanSide(
        acknowledged_by="mia",
        note="the vendor knows",
        resolved_by="mia",
        promised_for=NOW,
        snoozed_until=NOW + HOUR,
    )
    earlier = dataclasses.replace(over_at(NOW + HOUR), human=human)
    now = NOW + HOUR + REOPEN_WITHIN
    back = advance(None, LATE, now=now, earlier=earlier)
    again = of(back)
    assert (again.incident_id, again.version) == (
        earlier.incident_id,
        earlier.version + 1,
    )
    assert (again.resolved_at, again.ended_by) == (None, None)
    assert (again.late_since, again.cause_since) == (now, now)
    assert again.reopened_at == (now,)
    assert again.human == HumanSide(acknowledged_by="mia", note="the vendor knows")
    assert (again.paged_for, again.paged_at) == (earlier.paged_for, earlier.paged_at)
    assert said(back) == {
        (NoticeKind.REOPENED, ENGINEERS),
        (NoticeKind.REOPENED, STAKEHOLDERS),
        (NoticeKind.OPENED, SYSTEMS),
    }
    assert not any(one.page for one in back.announcements)


def test_what_comes_back_later_is_another_one() -> None:
    earlier, now = over_at(NOW + HOUR), NOW + HOUR + REOPEN_WITHIN + MINUTE
    back = advance(None, LATE, now=now, earlier=earlier)
    assert of(back).incident_id != earlier.incident_id
    assert (NoticeKind.OPENED, STAKEHOLDERS) in said(back)


def test_a_cause_that_did_not_page_before_pages_when_it_comes_back() -> None:
    other = dataclasses.replace(LATE, cause="load_failed", also=("name_reused",))
    back = advance(None, other, now=NOW + 2 * HOUR, earlier=over_at(NOW + HOUR))
    assert [one.audience for one in back.announcements if one.page] == [ENGINEERS]
    assert of(back).paged_for == ("pipe_stopped", "load_failed", "name_reused")
    assert of(back).paged_at == NOW + 2 * HOUR
    assert of(back).causes == ("pipe_stopped", "load_failed")
    assert of(back).told == (ENGINEERS, STAKEHOLDERS)
    silent = dataclasses.replace(QUIET, page=False)
    quiet = of(advance(None, silent, now=NOW + 2 * HOUR, earlier=over_at(NOW + HOUR)))
    assert (quiet.paged_for, quiet.paged_at) == (("pipe_stopped",), NOW)
    assert quiet.told == (STAKEHOLDERS,)


def test_what_a_person_was_wrong_to_close_has_not_come_and_gone() -> None:
    closed = over_at(NOW + HOUR, Ending.CLOSED)
    again = of(advance(None, LATE, now=NOW + 2 * HOUR, earlier=closed))
    assert (again.incident_id, again.reopened_at) == (closed.incident_id, ())


def test_a_blind_check_that_comes_back_was_not_seen_late() -> None:
    blind = dataclasses.replace(of(advance(opened(BLIND), WELL, now=NOW + HOUR)))
    back = advance(None, BLIND, now=NOW + 2 * HOUR, earlier=blind)
    assert said(back) == {(NoticeKind.REOPENED, ENGINEERS)}
    assert of(back).late_since is None


@pytest.mark.parametrize(
    ("newest_at", "passed", "is_raised"),
    [
        (NOW - DAY, 5 * DAY, False),
        (None, DAY - MINUTE, False),
        (None, DAY, True),
    ],
)
def test_a_false_alarm_holds_for_the_same_data_or_for_a_day(
    newest_at: datetime | None, passed: timedelta, *, is_raised: bool
) -> None:
    closed = dataclasses.replace(
        over_at(NOW, Ending.FALSE_ALARM), newest_at=newest_at, resolved_at=NOW
    )
    later = advance(None, LATE, now=NOW + passed, newest_at=newest_at, earlier=closed)
    assert (later.incident is not None) is is_raised


def test_one_that_comes_and_goes_ends_once_it_has_stayed_away() -> None:
    flapping = dataclasses.replace(opened(), reopened_at=(NOW + HOUR, NOW + 2 * HOUR))
    well_at = NOW + 3 * HOUR
    waits = advance(flapping, WELL, now=well_at, newest_at=NOW + 3 * HOUR)
    assert said(waits) == set()
    kept = of(waits)
    assert (kept.well_since, kept.version) == (well_at, flapping.version + 1)
    assert (kept.newest_at, kept.resolved_at) == (NOW + 3 * HOUR, None)
    still = advance(kept, WELL, now=well_at + REOPEN_WITHIN - MINUTE)
    assert still.incident is kept
    over = of(advance(kept, WELL, now=well_at + REOPEN_WITHIN))
    assert (over.resolved_at, over.well_since) == (well_at + REOPEN_WITHIN, None)
    back = of(advance(kept, LATE, now=well_at + HOUR))
    assert (back.well_since, back.reopened_at) == (
        None,
        (*flapping.reopened_at, well_at + HOUR),
    )
    less = advance(flapping, WELL, now=well_at, less_promised=True)
    assert of(less).ended_by is Ending.NOT_PROMISED


# what it is --------------------------------------------------------------------------
def test_an_incident_is_named_by_when_it_began_in_utc() -> None:
    at = datetime(2013, 1, 2, 23, 30, 15, tzinfo=timezone(-2 * HOUR))
    late, failed = (
        of(advance(None, one, now=at))
        for one in (LATE, a_verdict("pass", CHECKS_FAILED))
    )
    assert late.incident_id == "cats-20130103T013015Z"
    assert failed.incident_id == "cats-quality-20130103T013015Z"


@pytest.mark.parametrize(
    ("verdict", "kind", "on_the_bus"),
    [
        (LATE, "late", True),
        (BLIND, "blind", False),
        (a_verdict("pass", CHECKS_FAILED), "quality", True),
        (a_verdict("pass", "pull_failed", at_risk=True), "at_risk", True),
        (a_verdict("pass", "monitor_misread"), "failure", False),
    ],
)
def test_what_it_is_and_whether_systems_hear_of_it(
    verdict: Verdict, kind: str, *, on_the_bus: bool
) -> None:
    first = advance(None, verdict, now=NOW)
    assert of(first).kind == kind
    assert ((NoticeKind.OPENED, SYSTEMS) in said(first)) is on_the_bus
    end = said(retired(of(first), now=NOW + HOUR))
    assert ((NoticeKind.RESOLVED, SYSTEMS) in end) is on_the_bus


def test_an_incident_remembers_its_newest_hundred_notices() -> None:
    first = advance(None, LATE, now=NOW)
    subject = context_of(a_dataset())
    routes: Routes = {ENGINEERS: ("slack",)}
    told = notices(first, LATE, subject=subject, routes=routes, now=NOW)
    incident = of(first)
    for _ in range(101):
        incident = with_notices(incident, told)
    assert len(incident.notices) == 100
    (sent,) = set(incident.notices)
    assert (sent.at, sent.audience, sent.channel) == (NOW, "engineers", "slack")
    assert (sent.kind, sent.page) == ("opened", True)


def test_it_rises_in_place_and_never_falls() -> None:
    risk = opened(a_verdict("pass", "pull_failed", at_risk=True))
    late = of(advance(risk, LATE, now=NOW + HOUR))
    blind = dataclasses.replace(late, state="pass")
    again = of(advance(blind, a_verdict("pass", "pull_failed", at_risk=True), now=NOW))
    assert (risk.kind, late.kind, again.kind) == ("at_risk", "late", "late")


def test_what_a_person_reported_only_a_person_ends() -> None:
    reported = dataclasses.replace(opened(), kind="report", state="unknown")
    assert advance(reported, WELL, now=NOW + HOUR) == Transition(incident=reported)


def test_checks_that_fail_anew_are_told_to_systems_again() -> None:
    failed = a_verdict("pass", CHECKS_FAILED, tell=LATE.tell)
    first = opened(failed)
    same = advance(first, failed, now=NOW + HOUR)
    assert said(same) == set()
    more = advance(first, failed, now=NOW + HOUR, has_news=True)
    assert (NoticeKind.OPENED, SYSTEMS) in said(more)
    assert (NoticeKind.CHANGED, ENGINEERS) in said(more)
    late_first = opened()
    assert (NoticeKind.OPENED, SYSTEMS) not in said(
        advance(late_first, LATE, now=NOW + HOUR, has_news=True)
    )


def test_what_has_no_cause_has_spent_nothing_on_one() -> None:
    bare = dataclasses.replace(opened(), cause=None)
    assert bare.cause_since is not None
    assert bare.spent_at(NOW + HOUR) == ()
