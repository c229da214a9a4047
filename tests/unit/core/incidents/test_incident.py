"""The life of an incident."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.diagnosis.causes.rule import Audience as TellAudience
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.incident import (
    Ending,
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
MINUTE = timedelta(minutes=1)
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


def test_getting_worse_for_the_same_cause_is_not_told_again() -> None:
    warned = opened(dataclasses.replace(LATE, state=a_verdict("warn").state))
    assert said(after(warned, LATE)) == set()


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
    assert said(after(acknowledged, LATE, timedelta(hours=23))) == set()
    once = after(acknowledged, LATE, timedelta(hours=24))
    assert said(once) == {(NoticeKind.REMINDER, ENGINEERS, False)}
    assert once.incident is not None
    assert said(after(once.incident, LATE, timedelta(days=3))) == set()


def test_whoever_acknowledged_a_page_is_woken_by_no_other_cause() -> None:
    other = a_verdict("error", "credentials_rejected", page=True, tell=LATE.tell)
    taken = dataclasses.replace(
        opened(), human=HumanSide(acknowledged_at=NOW, acknowledged_by="ada")
    )
    assert said(after(opened(), other)) & {(NoticeKind.CHANGED, ENGINEERS, True)}
    told = after(taken, other)
    assert (NoticeKind.CHANGED, ENGINEERS, False) in said(told)
    assert told.incident is not None
    assert told.incident.human == taken.human


def test_what_was_acknowledged_before_it_paged_wakes_somebody_who_can_take_it() -> None:
    warned = opened(a_verdict("warn", "pipe_stopped", page=False))
    human = HumanSide(acknowledged_at=NOW, acknowledged_by="ada", note="I look")
    step = after(dataclasses.replace(warned, human=human), LATE)
    assert (NoticeKind.CHANGED, ENGINEERS, True) in said(step)
    assert step.incident is not None
    assert step.incident.human == HumanSide(note="I look")


def test_a_resolved_incident_counts_as_none() -> None:
    resolved = retired(opened(), now=NOW).incident
    assert resolved is not None
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


# what time brings --------------------------------------------------------------------
AT_RISK = dataclasses.replace(
    LATE,
    state=State.PASS,
    page=False,
    tell=frozenset({TellAudience.ENGINEERS}),
    at_risk=True,
    late_at=NOW + HOUR,
)


def story(*steps: tuple[timedelta, Verdict], **more: Any) -> list[Transition]:
    """One verdict after another, from the beginning; what was over may come back."""
    told: list[Transition] = []
    incident: Incident | None = None
    for passed, verdict in steps:
        is_over = incident is not None and incident.resolved_at is not None
        transition = advance(
            None if is_over else incident,
            verdict,
            now=NOW + passed,
            earlier=incident if is_over else None,
            **more,
        )
        told.append(transition)
        incident = transition.incident or incident
    return told


def test_what_is_at_risk_and_later_late_is_one_incident() -> None:
    risk, late, well = story((timedelta(), AT_RISK), (2 * HOUR, LATE), (3 * HOUR, WELL))
    assert said(risk) == {
        (NoticeKind.OPENED, ENGINEERS, False),
        (NoticeKind.OPENED, SYSTEMS, False),
    }
    assert risk.incident is not None
    assert late.incident is not None
    assert well.incident is not None
    assert risk.incident.kind == "at_risk"
    assert late.incident.incident_id == risk.incident.incident_id
    assert late.incident.kind == "late"
    assert said(late) == {
        (NoticeKind.CHANGED, ENGINEERS, True),
        (NoticeKind.OPENED, STAKEHOLDERS, False),
        (NoticeKind.OPENED, SYSTEMS, False),
    }
    assert well.incident.ended_by == "recovered"


def test_the_cause_that_is_kept_stood_longest_of_those_that_do_not_pass() -> None:
    auth = dataclasses.replace(LATE, cause="credentials_rejected")
    loading = dataclasses.replace(QUIET, cause="load_pending")
    *_, well = story(
        (timedelta(), auth),
        (HOUR, a_verdict("error", "pull_failed")),
        (HOUR * 1.5, loading),
        (9 * HOUR, WELL),
    )
    over = well.incident
    assert over is not None
    assert over.cause == "load_pending"
    assert over.main_cause == "credentials_rejected"
    assert [(one.code, one.seconds) for one in over.spent] == [
        ("credentials_rejected", 3600),
        ("pull_failed", 1800),
        ("load_pending", 27_000),
    ]


def test_a_promise_that_passes_is_said_once_and_kept_as_missed() -> None:
    due = dataclasses.replace(QUIET, cause="pull_due", eta=NOW + HOUR)
    moved = dataclasses.replace(due, eta=NOW + 3 * HOUR)
    opened_, passed, later, again = story(
        (timedelta(), due),
        (HOUR, moved),
        (HOUR + MINUTE, moved),
        (3 * HOUR, dataclasses.replace(due, eta=None)),
    )
    assert (NoticeKind.OPENED, STAKEHOLDERS, False) in said(opened_)
    assert said(passed) == {(NoticeKind.OVERDUE, STAKEHOLDERS, False)}
    assert said(later) == said(again) == set()


def test_a_persons_promise_that_passes_is_missed() -> None:
    opened = advance(None, QUIET, now=NOW).incident
    assert opened is not None
    human = dataclasses.replace(opened.human, promised_for=NOW + HOUR)
    promised = dataclasses.replace(opened, human=human, told_expected=NOW + HOUR)
    passed = advance(promised, QUIET, now=NOW + HOUR + MINUTE).incident
    assert passed is not None
    assert passed.promise == "missed"


def test_stakeholders_get_one_line_in_their_morning() -> None:
    morning = NOW + 20 * HOUR
    first = advance(None, QUIET, now=NOW).incident
    early = advance(first, QUIET, now=morning - MINUTE, morning=NOW - 4 * HOUR)
    assert said(early) == set()
    line = advance(first, QUIET, now=morning + MINUTE, morning=morning)
    assert said(line) == {(NoticeKind.DAILY, STAKEHOLDERS, False)}
    again = advance(line.incident, QUIET, now=morning + HOUR, morning=morning)
    assert said(again) == set()


def test_what_comes_back_is_the_same_incident_and_the_third_time_says_so() -> None:
    hours = [timedelta(minutes=30 * number) for number in range(8)]
    steps = [(at, LATE if number % 2 == 0 else WELL) for number, at in enumerate(hours)]
    one, end, two, end_2, three, *rest = story(*steps, (20 * HOUR, WELL))
    ids = {x.incident.incident_id for x in (one, two, three) if x.incident}
    assert len(ids) == 1
    assert {kind for kind, _, _ in said(end) | said(end_2)} == {NoticeKind.RESOLVED}
    people = {ENGINEERS, STAKEHOLDERS}
    assert {x for x in said(two) if x[1] in people} == {
        (NoticeKind.REOPENED, ENGINEERS, False),
        (NoticeKind.REOPENED, STAKEHOLDERS, False),
    }
    assert {kind for kind, who, _ in said(three) if who in people} == {
        NoticeKind.FLAPPING
    }
    *silent, last = rest
    assert all(said(one) == set() for one in silent)
    assert (NoticeKind.RESOLVED, STAKEHOLDERS, False) in said(last)


def test_a_risk_is_no_late_dataset_that_comes_back() -> None:
    late, end, risk = story((timedelta(), LATE), (HOUR, WELL), (2 * HOUR, AT_RISK))
    assert (NoticeKind.RESOLVED, STAKEHOLDERS, False) in said(end)
    assert said(risk) == {
        (NoticeKind.OPENED, ENGINEERS, False),
        (NoticeKind.OPENED, SYSTEMS, False),
    }
    assert risk.incident is not None
    assert late.incident is not None
    assert risk.incident.incident_id != late.incident.incident_id
    assert STAKEHOLDERS not in risk.incident.told


def test_data_that_pass_since_less_is_promised_have_not_recovered() -> None:
    late = advance(None, LATE, now=NOW).incident
    looser = advance(late, WELL, now=NOW + HOUR, newest_at=NOW, less_promised=True)
    assert looser.incident is not None
    assert looser.incident.ended_by == "not_promised"


def test_a_snooze_keeps_everything_back_but_the_end() -> None:
    late = advance(None, LATE, now=NOW).incident
    assert late is not None
    until = HumanSide(snoozed_until=NOW + 9 * HOUR)
    snoozed = dataclasses.replace(late, human=until)
    other = dataclasses.replace(LATE, cause="load_failed")
    assert said(advance(snoozed, other, now=NOW + HOUR)) == set()
    assert {kind for kind, _, _ in said(advance(snoozed, WELL, now=NOW + HOUR))} == {
        NoticeKind.RESOLVED
    }


def test_engineers_are_reminded_of_what_is_late_and_cannot_be_read() -> None:
    blind, still, reminded = story(
        (timedelta(), LATE), (HOUR, BLIND), (26 * HOUR, BLIND)
    )
    del blind
    assert said(still) == {(NoticeKind.BLIND, ENGINEERS, True)}
    assert said(reminded) == {(NoticeKind.REMINDER, ENGINEERS, False)}


def test_a_false_alarm_is_not_raised_again_by_the_same_data() -> None:
    late = advance(None, LATE, now=NOW, newest_at=NOW - 9 * HOUR).incident
    assert late is not None
    closed = dataclasses.replace(
        late, resolved_at=NOW + HOUR, ended_by=Ending.FALSE_ALARM
    )
    same = advance(
        None, LATE, now=NOW + 2 * HOUR, newest_at=late.newest_at, earlier=closed
    )
    assert same == Transition(incident=None)
    other = advance(None, LATE, now=NOW + 2 * HOUR, newest_at=NOW, earlier=closed)
    assert other.incident is not None


def test_words_that_stand_in_the_state_table_stay_as_they_are() -> None:
    """What was written before is read after an update, and the other way round."""
    assert [one.value for one in NoticeKind] == [
        "opened", "changed", "blind", "reminder", "reopened", "flapping", "overdue",
        "daily", "resolved", "promised", "edited", "reported", "repaired", "digest",
        "causes",
    ]  # fmt: skip
    assert [one.value for one in Ending] == [
        "recovered", "not_promised", "removed", "closed", "false_alarm",
    ]  # fmt: skip
    assert [one.value for one in Recipient] == ["engineers", "stakeholders", "systems"]
