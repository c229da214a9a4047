"""The life of an incident."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.incident import (
    HumanSide,
    Incident,
    NoticeKind,
    NoticeRequest,
    Recipient,
    Transition,
    advance,
    in_plain_words,
    retired,
)
from tests.watched import HOUR, NOW, a_verdict

ENGINEERS, STAKEHOLDERS, SYSTEMS = Recipient
WELL = a_verdict("pass", None)
LATE = a_verdict("error", "pipe_stopped")
QUIET = a_verdict("error", "upstream_quiet")
BLIND = a_verdict("unknown", "monitor_blind")


def opened(verdict: Verdict = LATE, now: datetime = NOW) -> Incident:
    incident = advance(None, verdict, now=now).incident
    assert incident is not None
    return incident


def said(transition: Transition) -> set[tuple[NoticeKind, Recipient, bool]]:
    return {(x.kind, x.audience, x.page) for x in transition.announcements}


def after(
    incident: Incident,
    verdict: Verdict,
    passed: timedelta = HOUR,
    *,
    still_old: bool = False,
) -> Transition:
    now = incident.changed_at + passed
    return advance(incident, verdict, now=now, still_old=still_old)


def test_nothing_is_opened_for_what_is_well() -> None:
    assert advance(None, WELL, now=NOW) == Transition(incident=None)


def test_a_late_dataset_opens_one_and_pages_once() -> None:
    transition = advance(None, LATE, now=NOW)
    assert said(transition) == {
        (NoticeKind.OPENED, ENGINEERS, True),
        (NoticeKind.OPENED, STAKEHOLDERS, False),
        (NoticeKind.OPENED, SYSTEMS, False),
    }
    incident = transition.incident
    assert incident is not None
    assert after(incident, LATE) == Transition(incident=incident)


def test_figures_that_grow_by_themselves_are_no_change() -> None:
    incident = opened()
    older = dataclasses.replace(LATE, headline="7 h late", evidence=("7 h old",))
    assert after(incident, older).incident is incident


def test_what_only_stakeholders_hear_never_pages() -> None:
    transition = advance(None, QUIET, now=NOW)
    assert said(transition) == {
        (NoticeKind.OPENED, STAKEHOLDERS, False),
        (NoticeKind.OPENED, SYSTEMS, False),
    }


def test_unknown_opens_one_that_is_not_called_late() -> None:
    transition = advance(None, BLIND, now=NOW)
    assert said(transition) == {(NoticeKind.OPENED, ENGINEERS, True)}
    assert transition.incident is not None
    assert transition.incident.late_since is None


def test_getting_worse_is_told_again_without_a_second_page() -> None:
    warned = opened(dataclasses.replace(LATE, state=a_verdict("warn").state))
    assert said(after(warned, LATE)) == {
        (NoticeKind.CHANGED, ENGINEERS, False),
        (NoticeKind.CHANGED, STAKEHOLDERS, False),
    }


def test_getting_better_without_being_well_is_not_told() -> None:
    transition = after(opened(), a_verdict("warn", "pipe_stopped"))
    assert said(transition) == set()
    assert transition.incident is not None
    assert transition.incident.state == "warn"


def test_page_turning_true_wakes_engineers_alone() -> None:
    quiet = opened(a_verdict("error", "upstream_quiet"))
    worse = dataclasses.replace(QUIET, page=True, tell=LATE.tell)
    assert said(after(quiet, worse)) == {(NoticeKind.OPENED, ENGINEERS, True)}


def test_another_cause_pages_again_and_one_that_returns_does_not() -> None:
    first = opened()
    other = dataclasses.replace(LATE, cause="load_failed")
    changed = after(first, other)
    # For stakeholders a stopped pipe and a failed load need not be the same sentence.
    assert (NoticeKind.CHANGED, ENGINEERS, True) in said(changed)
    assert changed.incident is not None
    assert said(after(changed.incident, LATE)) == set()


def test_what_a_page_was_for_wakes_nobody_again_when_it_becomes_the_cause() -> None:
    both = dataclasses.replace(LATE, cause="pull_failed", also=("pipe_stopped",))
    first = opened(both)
    assert said(after(first, LATE)) == {
        (NoticeKind.CHANGED, ENGINEERS, False),
        (NoticeKind.CHANGED, STAKEHOLDERS, False),
    }


def test_stakeholders_hear_of_a_new_cause_only_in_new_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    same = dataclasses.replace(
        BY_CODE["load_failed"], plain=BY_CODE["pipe_stopped"].plain
    )
    monkeypatch.setitem(BY_CODE, "load_failed", same)
    changed = after(opened(), dataclasses.replace(LATE, cause="load_failed"))
    assert {audience for _, audience, _ in said(changed)} == {ENGINEERS}


def test_recovery_is_told_to_whoever_was_told() -> None:
    assert said(after(opened(), WELL)) == {
        (NoticeKind.RESOLVED, ENGINEERS, False),
        (NoticeKind.RESOLVED, STAKEHOLDERS, False),
        (NoticeKind.RESOLVED, SYSTEMS, False),
    }
    assert said(after(opened(BLIND), WELL)) == {(NoticeKind.RESOLVED, ENGINEERS, False)}


def test_quiet_time_alone_is_no_recovery() -> None:
    incident = opened()
    assert after(incident, WELL, still_old=True) == Transition(incident=incident)


def test_unknown_neither_ends_a_late_incident_nor_hides_that_it_is_late() -> None:
    incident = opened(QUIET)
    blind = after(incident, BLIND)
    assert said(blind) == {(NoticeKind.BLIND, ENGINEERS, True)}
    assert blind.incident is not None
    assert (blind.incident.state, blind.incident.cause) == ("error", "upstream_quiet")
    still = after(blind.incident, BLIND)
    assert still == Transition(incident=blind.incident)
    seen = after(blind.incident, QUIET)
    assert said(seen) == set()
    assert seen.incident is not None
    assert said(after(seen.incident, BLIND)) == set()  # blind again: said already


def test_unknown_that_turns_out_late_is_told_to_stakeholders_as_new() -> None:
    assert said(after(opened(BLIND), LATE)) == {
        (NoticeKind.CHANGED, ENGINEERS, True),
        (NoticeKind.OPENED, STAKEHOLDERS, False),
        (NoticeKind.OPENED, SYSTEMS, False),
    }


def test_a_page_nobody_acknowledged_is_brought_back_to_mind_after_a_day() -> None:
    incident = opened()
    assert said(after(incident, LATE, timedelta(hours=23))) == set()
    reminded = after(incident, LATE, timedelta(hours=24))
    assert said(reminded) == {(NoticeKind.REMINDER, ENGINEERS, False)}
    assert reminded.incident is not None
    assert said(after(reminded.incident, LATE, timedelta(hours=23))) == set()
    acknowledged = dataclasses.replace(
        incident, human=HumanSide(acknowledged_at=NOW, acknowledged_by="ada")
    )
    assert said(after(acknowledged, LATE, timedelta(days=3))) == set()


def test_a_resolved_incident_counts_as_none() -> None:
    resolved = retired(opened(), now=NOW)
    transition = after(resolved, LATE)
    assert transition.incident is not None
    assert transition.incident.incident_id != resolved.incident_id


def test_what_a_person_added_survives_every_change() -> None:
    human = HumanSide(note="the vendor knows", cause="upstream_down")
    incident = dataclasses.replace(opened(), human=human)
    for verdict in (QUIET, BLIND, WELL):
        changed = after(incident, verdict).incident
        assert changed is not None
        assert changed.human == human


def test_every_cause_has_words_for_people() -> None:
    for code in BY_CODE:
        assert in_plain_words(code)
    assert in_plain_words("no_such_code") == in_plain_words(None)


VERDICTS = st.sampled_from(
    [
        WELL,
        BLIND,
        LATE,
        QUIET,
        a_verdict("warn", "pipe_stopped"),
        a_verdict("warn", "upstream_quiet"),
        a_verdict("error", "load_failed", page=True),
        a_verdict("pass", "monitor_misread"),
        a_verdict("error", "unknown", page=True, tell=LATE.tell),
    ]
)


@given(st.lists(st.tuples(VERDICTS, st.booleans()), max_size=30))
def test_whatever_comes_the_story_holds(story: list[tuple[Verdict, bool]]) -> None:
    incident: Incident | None = None
    told: set[Recipient] = set()
    paged: list[str] = []
    for step, (verdict, still_old) in enumerate(story):
        now = NOW + timedelta(minutes=5 * step)
        before = incident
        transition = advance(before, verdict, now=now, still_old=still_old)
        incident = transition.incident
        announced: tuple[NoticeRequest, ...] = transition.announcements
        if incident is None:
            assert announced == ()
            continue
        # A page is for engineers, and no cause pages twice in an incident.
        for item in announced:
            if item.page:
                assert item.audience is ENGINEERS
                paged.append(f"{incident.incident_id} {verdict.cause}")
        assert len(paged) == len(set(paged))
        # Nobody hears of an end who did not hear of the beginning.
        hearing = {item.audience for item in announced}
        if incident.resolved_at is not None:
            assert verdict.state == "pass"
            assert hearing == told
            told, incident = set(), None
            continue
        told |= hearing
        # Each audience hears a thing at most once in a step.
        assert len(hearing) == len(announced)
        assert (SYSTEMS in told) == (incident.late_since is not None)
        if verdict.state == "unknown" and before is not None:
            assert incident.late_since == before.late_since
        # A version for each change, and none without one.
        if before is not None and before.resolved_at is None:
            changed = incident != before
            assert incident.version == before.version + int(changed)
        # Told again at once, there is nothing to say.
        again = advance(incident, verdict, now=now, still_old=still_old)
        assert again.announcements == ()
