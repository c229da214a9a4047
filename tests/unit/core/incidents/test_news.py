"""What is news, to whom, and what is brought back to mind."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.diagnosis.causes.rule import Audience
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.incident import (
    REPEAT,
    Ending,
    HumanSide,
    Incident,
    NoticeKind,
    Recipient,
    Transition,
    advance,
    in_plain_words,
    retired,
)
from lambdas.core.incidents.texts import stakeholders_message
from tests.datasets import a_dataset
from tests.watched import HOUR, NOW, a_verdict

ENGINEERS, STAKEHOLDERS, SYSTEMS = Recipient
TO_ENGINEERS = frozenset({Audience.ENGINEERS})
LATE = a_verdict("error", "pipe_stopped")
WARNED = a_verdict("warn", "pipe_stopped")
BLIND = a_verdict("unknown", "monitor_blind")
WELL = a_verdict("pass", None)


def opened(verdict: Verdict = LATE, *, inhibited_by: str | None = None) -> Incident:
    incident = advance(None, verdict, now=NOW, inhibited_by=inhibited_by).incident
    assert incident is not None
    return incident


def after(
    incident: Incident,
    verdict: Verdict,
    passed: timedelta = HOUR,
    *,
    inhibited_by: str | None = None,
) -> Transition:
    now = incident.changed_at + passed
    return advance(incident, verdict, now=now, inhibited_by=inhibited_by)


def incident_of(transition: Transition) -> Incident:
    assert transition.incident is not None
    return transition.incident


def said(transition: Transition) -> set[tuple[NoticeKind, Recipient]]:
    return {(one.kind, one.audience) for one in transition.announcements}


# why ---------------------------------------------------------------------------------
@pytest.mark.parametrize("code", BY_CODE)
def test_stakeholders_read_the_sentence_of_the_very_cause(code: str) -> None:
    incident = dataclasses.replace(opened(), cause=code)
    message = stakeholders_message(NoticeKind.OPENED, incident, context_of(a_dataset()))
    (why,) = [one.lines for one in message.blocks if one.label == "Why"]
    assert why == (BY_CODE[code].plain,)


@pytest.mark.parametrize("code", [None, "no_such_code", "unknown"])
def test_only_of_what_nobody_knows_is_said_that_nobody_knows(code: str | None) -> None:
    assert in_plain_words(code) == BY_CODE["unknown"].plain


def test_causes_that_ask_something_else_of_people_have_words_of_their_own() -> None:
    words = {code: rule.plain for code, rule in BY_CODE.items()}
    alike = [code for code, plain in words.items() if plain == words["unknown"]]
    assert alike == ["unknown"]
    assert words["upstream_quiet"] != words["pipe_stopped"]


# news --------------------------------------------------------------------------------
def test_stakeholders_hear_that_the_reason_has_changed() -> None:
    other = a_verdict("error", "upstream_quiet")
    changed = after(opened(), dataclasses.replace(other, tell=LATE.tell))
    assert (NoticeKind.CHANGED, STAKEHOLDERS) in said(changed)


@pytest.mark.parametrize("state", ["warn", "error"])
def test_who_was_never_told_hears_nothing_of_engineers_matters(state: str) -> None:
    first = opened(dataclasses.replace(WARNED, tell=TO_ENGINEERS))
    second = dataclasses.replace(a_verdict(state, "upstream_quiet"), tell=TO_ENGINEERS)
    changed = after(first, second)
    assert {who for _, who in said(changed)} - {SYSTEMS} == {ENGINEERS}
    assert {who for _, who in said(after(incident_of(changed), WELL))} == {
        ENGINEERS,
        SYSTEMS,
    }


def test_a_warning_that_becomes_an_error_for_the_same_cause_is_no_news() -> None:
    worse = dataclasses.replace(LATE, page=False)
    assert said(after(opened(WARNED), worse)) == set()


@pytest.mark.parametrize("cause", ["load_pending", "pull_due", "pull_running"])
def test_a_cause_that_passes_by_itself_is_no_news(cause: str) -> None:
    passing = a_verdict("error", cause, page=False, tell=LATE.tell)
    assert said(after(opened(), passing)) == set()


def test_engineers_hear_of_no_cause_that_is_not_theirs() -> None:
    quiet = a_verdict("error", "upstream_quiet")
    assert ENGINEERS not in {who for _, who in said(after(opened(), quiet))}


def test_a_time_that_has_passed_is_not_told_as_passed_twice() -> None:
    first = dataclasses.replace(LATE, eta=NOW + 2 * HOUR)
    late = after(opened(first), LATE, 2 * HOUR)
    assert (NoticeKind.OVERDUE, STAKEHOLDERS) in said(late)
    promised = dataclasses.replace(
        incident_of(late),
        human=HumanSide(promised_for=NOW + 3 * HOUR),
        told_expected=NOW + 3 * HOUR,
    )
    passed = after(promised, LATE, 3 * HOUR)
    assert (NoticeKind.OVERDUE, STAKEHOLDERS) in said(passed)
    reminded = after(incident_of(passed), LATE, REPEAT + 3 * HOUR)
    assert (NoticeKind.REMINDER, ENGINEERS) in said(reminded)
    after_that = after(incident_of(reminded), LATE, HOUR)
    assert said(after_that) == set()


# reminders ---------------------------------------------------------------------------
def unpaged() -> Incident:
    return opened(dataclasses.replace(LATE, page=False))


def test_a_page_that_came_later_is_brought_back_to_mind_too() -> None:
    paged = incident_of(after(unpaged(), a_verdict("error", "load_failed", page=True)))
    assert paged.paged_at == NOW + HOUR
    same = a_verdict("error", "load_failed", page=True)
    early, due = (after(paged, same, REPEAT - HOUR), after(paged, same, REPEAT))
    assert said(early) == set()
    assert said(due) == {(NoticeKind.REMINDER, ENGINEERS)}
    assert incident_of(due).paged_at == NOW + HOUR + REPEAT


def test_what_never_paged_is_not_brought_back_to_mind() -> None:
    quiet = dataclasses.replace(LATE, page=False)
    assert said(after(unpaged(), quiet, 3 * REPEAT)) == set()


def test_a_page_for_a_blind_check_is_brought_back_to_mind() -> None:
    blind = incident_of(after(unpaged(), BLIND))
    assert blind.paged_at == NOW + HOUR
    assert said(after(blind, BLIND, REPEAT - HOUR)) == set()
    due = after(blind, BLIND, REPEAT)
    assert said(due) == {(NoticeKind.REMINDER, ENGINEERS)}
    assert said(after(incident_of(due), BLIND, HOUR)) == set()
    held = dataclasses.replace(blind, human=HumanSide(acknowledged_at=NOW + HOUR))
    assert said(after(held, BLIND, REPEAT - HOUR)) == set()
    once = after(held, BLIND, REPEAT)
    assert said(once) == {(NoticeKind.REMINDER, ENGINEERS)}
    assert said(after(incident_of(once), BLIND, 3 * REPEAT)) == set()


def test_no_reminder_comes_beside_what_is_news_anyway() -> None:
    other = a_verdict("error", "load_failed", page=True, tell=LATE.tell)
    changed = after(opened(), other, REPEAT)
    assert (NoticeKind.REMINDER, ENGINEERS) not in said(changed)
    assert (NoticeKind.CHANGED, ENGINEERS) in said(changed)


# inhibited ---------------------------------------------------------------------------
def test_an_inhibited_one_is_recorded_as_it_gets_worse_and_people_hear_nothing() -> (
    None
):
    first = opened(WARNED, inhibited_by="airlines")
    assert (first.inhibited_by, first.state, first.told) == ("airlines", "warn", ())
    worse = after(first, LATE, inhibited_by="airlines")
    kept = incident_of(worse)
    assert (kept.state, kept.version, kept.inhibited_by) == ("error", 2, "airlines")
    assert {who for _, who in said(worse)} <= {SYSTEMS}
    again = after(kept, LATE, inhibited_by="airlines")
    assert again == Transition(incident=kept)


def test_who_inhibits_it_now_is_recorded_with_a_new_version() -> None:
    first = opened(inhibited_by="airlines")
    moved = incident_of(after(first, LATE, inhibited_by="airports"))
    assert (moved.inhibited_by, moved.version) == ("airports", 2)


def test_what_was_told_and_is_inhibited_now_keeps_who_was_told() -> None:
    kept = incident_of(after(opened(), LATE, inhibited_by="airlines"))
    assert (kept.told, kept.inhibited_by, kept.version) == (
        opened().told,
        "airlines",
        2,
    )


# versions and times ------------------------------------------------------------------
def test_each_end_is_a_change_with_its_time_and_a_version_of_its_own() -> None:
    first = opened()
    well, gone = incident_of(after(first, WELL)), retired(first, now=NOW + HOUR)
    for over, ending in (
        (well, Ending.RECOVERED),
        (incident_of(gone), Ending.REMOVED),
    ):
        assert over.version == first.version + 1
        assert over.changed_at == over.resolved_at == NOW + HOUR
        assert over.ended_by is ending


def test_a_blind_check_is_a_change_with_its_time_and_a_version_of_its_own() -> None:
    blind = incident_of(after(opened(), BLIND))
    assert (blind.version, blind.changed_at, blind.blind_since) == (
        2,
        NOW + HOUR,
        NOW + HOUR,
    )
