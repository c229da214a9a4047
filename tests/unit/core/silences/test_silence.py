"""Silences: what they are about, when they hold, and that they end."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.core.errors import BadInput
from lambdas.core.incidents.incident import Incident, Recipient, advance
from lambdas.core.silences.silence import Every, Silence, checked, holding
from tests.watched import HOUR, NOW, a_verdict

START = datetime(2026, 3, 27, 1, tzinfo=UTC)


def a_silence(**changes: Any) -> Silence:
    known = Silence(
        silence_id="s1",
        by="mia",
        why="an upgrade",
        starts_at=START,
        until=START + 2 * HOUR,
        ends_at=START + 2 * HOUR,
        team="cats",
    )
    return dataclasses.replace(known, **changes)


def is_held(silence: Silence, at: datetime, **changes: Any) -> bool:
    found = {"dataset": "cats", "team": "cats", "api": None, "cause": "pipe_stopped"}
    return holding([silence], now=at, **{**found, **changes}) is not None


def test_it_holds_from_its_start_to_its_end() -> None:
    silence = a_silence()
    assert not is_held(silence, START - timedelta(seconds=1))
    assert is_held(silence, START)
    assert is_held(silence, START + 2 * HOUR - timedelta(seconds=1))
    assert not is_held(silence, START + 2 * HOUR)


def test_it_is_of_all_that_it_names_and_of_nothing_else() -> None:
    silence = a_silence(cause="pipe_stopped")
    assert is_held(silence, START)
    assert not is_held(silence, START, cause="rows_deleted")
    assert not is_held(silence, START, team="dogs")
    assert is_held(
        a_silence(team=None, api="api.example.com"), START, api="api.example.com"
    )
    assert not is_held(a_silence(team=None, dataset="dogs"), START)


def test_it_recurs_at_the_same_time_on_the_wall_clock() -> None:
    # Clocks in Berlin go forward on 2026-03-29: 02:00 is 01:00 UTC before, 00:00 after.
    silence = a_silence(
        every=Every.DAY, timezone="Europe/Berlin", ends_at=START + timedelta(days=9)
    )
    assert is_held(silence, START + timedelta(days=1))
    summer = START + timedelta(days=4, hours=-1)
    assert is_held(silence, summer)
    assert not is_held(silence, summer - timedelta(minutes=1))
    assert silence.until_at(summer) == summer + 2 * HOUR
    assert not is_held(silence, START + timedelta(days=9))


def test_a_week_later_is_the_same_weekday() -> None:
    silence = a_silence(every=Every.WEEK, ends_at=START + timedelta(days=30))
    held = [day for day in range(22) if is_held(silence, START + timedelta(days=day))]
    assert held == [0, 7, 14, 21]


def test_one_over_midnight_holds_after_it() -> None:
    late = START.replace(hour=23)
    silence = a_silence(
        starts_at=late,
        until=late + 3 * HOUR,
        every=Every.DAY,
        ends_at=late + timedelta(days=5),
    )
    assert is_held(silence, late + timedelta(days=2, hours=2))
    assert not is_held(silence, late + timedelta(days=2, hours=4))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"team": None}, "about something"),
        ({"why": " "}, "--why is empty"),
        ({"until": START}, "not after"),
        ({"until": START + timedelta(days=31)}, "30 days at most"),
        ({"every": Every.DAY, "until": START + timedelta(days=1)}, "shorter"),
        ({"every": Every.DAY, "ends_at": START + timedelta(days=999)}, "--last"),
    ],
)
def test_one_without_an_end_or_a_reason_is_refused(
    change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        checked(a_silence(**change))
    assert checked(a_silence()) == a_silence()


def people(told: Any) -> list[tuple[str, Recipient, bool]]:
    return [
        (one.kind, one.audience, one.page)
        for one in told
        if one.audience is not Recipient.SYSTEMS
    ]


def test_what_still_holds_when_it_ends_is_told_then_and_once() -> None:
    verdict = a_verdict("error", "pipe_stopped", page=True)
    incident: Incident | None = None
    for hour in range(3):
        step = advance(incident, verdict, now=NOW + hour * HOUR, is_silenced=True)
        incident = step.incident
        assert people(step.announcements) == []
    ended = advance(incident, verdict, now=NOW + 3 * HOUR)
    assert ("opened", Recipient.ENGINEERS, True) in people(ended.announcements)
    again = advance(ended.incident, verdict, now=NOW + 4 * HOUR)
    assert people(again.announcements) == []


def test_what_ended_meanwhile_is_told_to_those_who_had_heard_of_it() -> None:
    verdict = a_verdict("error", "pipe_stopped")
    well = a_verdict("pass", None)
    heard = advance(None, verdict, now=NOW).incident
    ended = advance(heard, well, now=NOW + HOUR, newest_at=NOW, is_silenced=True)
    assert {kind for kind, _, _ in people(ended.announcements)} == {"resolved"}
    silent = advance(None, verdict, now=NOW, is_silenced=True).incident
    ended = advance(silent, well, now=NOW + HOUR, newest_at=NOW, is_silenced=True)
    assert people(ended.announcements) == []


def test_one_that_comes_back_is_still_silenced() -> None:
    verdict = a_verdict("error", "pipe_stopped", page=True)
    first = advance(None, verdict, now=NOW, is_silenced=True).incident
    well = a_verdict("pass", None)
    over = advance(first, well, now=NOW + HOUR, newest_at=NOW).incident
    back = advance(None, verdict, now=NOW + 2 * HOUR, earlier=over, is_silenced=True)
    assert people(back.announcements) == []
    ended = advance(back.incident, verdict, now=NOW + 3 * HOUR)
    assert ("opened", Recipient.ENGINEERS, True) in people(ended.announcements)


def test_one_more_than_it_was_begun_for_is_told_quietly() -> None:
    assert a_silence(members=("cats",)).is_joined_by("dogs")
    assert not a_silence(members=("cats",)).is_joined_by("cats")
    assert not a_silence().is_joined_by("dogs")  # planned work: nothing was late
    verdict = a_verdict("error", "pipe_stopped", page=True)
    joined = advance(None, verdict, now=NOW, is_silenced=True, joins_silence=True)
    assert people(joined.announcements) == [("opened", Recipient.ENGINEERS, False)]
    again = advance(joined.incident, verdict, now=NOW + HOUR, is_silenced=True)
    assert people(again.announcements) == []
    ended = advance(joined.incident, verdict, now=NOW + 3 * HOUR)
    assert set(people(ended.announcements)) == {
        ("changed", Recipient.ENGINEERS, True),
        ("opened", Recipient.STAKEHOLDERS, False),
    }
