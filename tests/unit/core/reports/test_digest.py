from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.dataset import Dataset
from lambdas.core.incidents.incident import (
    Ending,
    HumanSide,
    Incident,
    NoticeKind,
    Recipient,
)
from lambdas.core.incidents.message import Message, as_mail
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.verdicts.api import apis_of
from lambdas.core.quality.result import CheckedLoad
from lambdas.core.reports.digest import (
    Morning,
    digest_notices,
    engineers_digest,
    stakeholders_digest,
)
from lambdas.core.reports.team_notices import ADDRESSES
from lambdas.core.silences.silence import Silence
from lambdas.core.slack.blocks import as_slack
from tests.datasets import a_dataset
from tests.pages import NOW, a_watch, an_incident

HOUR = timedelta(hours=1)
CATS = a_dataset()
ROUTES = {
    Recipient.ENGINEERS: ("sns", "slack", "pagerduty"),
    Recipient.STAKEHOLDERS: ("sns", "slack"),
    Recipient.SYSTEMS: ("bus",),
}


def a_morning(
    *incidents: Incident, datasets: tuple[Dataset, ...] = (CATS,), **changes: object
) -> Morning:
    fields: dict[str, object] = {
        "team": "data-eng",
        "timezone": "Europe/Berlin",
        "due_at": NOW,
        "datasets": datasets,
        "watches": {one.name: a_watch(one.name) for one in datasets},
        "incidents": incidents,
    }
    return Morning(**{**fields, **changes})  # type: ignore[arg-type]  # by name


def owned(name: str, slack: str | None, stakeholders: str | None = None) -> Dataset:
    owner = {"team": "data-eng", "slack": slack, "stakeholders": stakeholders}
    return a_dataset(name=name, owner={k: v for k, v in owner.items() if v})


def text(message: Message | None) -> str:
    assert message is not None
    return as_mail(message)[1]


def made(morning: Morning) -> tuple[Notice, ...]:
    return digest_notices(morning, routes=ROUTES, now=NOW)


def test_a_quiet_night_is_one_line_for_engineers_and_nothing_for_stakeholders() -> None:
    assert text(engineers_digest(a_morning())) == (
        "data-eng this morning: nothing is open, nothing happened overnight"
    )
    assert stakeholders_digest(a_morning()) is None


def test_what_is_open_is_told_with_who_has_it() -> None:
    assert "; nobody has it" in text(engineers_digest(a_morning(an_incident("cats"))))
    taken = an_incident("cats", human=HumanSide(acknowledged_by="Ann"))
    said = text(engineers_digest(a_morning(taken)))
    assert said.startswith("data-eng this morning: 1 open\n")
    assert (
        "cats late: nothing new upstream; since 2026-11-28 11:00 CET (10:00 UTC); "
        "Ann has it" in said
    )


@pytest.mark.parametrize("ending", list(Ending))
def test_what_ended_overnight_is_told_with_how(ending: Ending) -> None:
    over = an_incident(
        "cats",
        resolved_at=NOW - HOUR,
        late_since=NOW - 3 * HOUR,
        ended_by=ending,
    )
    said = text(engineers_digest(a_morning(over)))
    assert "1 ended since yesterday" in said
    assert "at 2026-11-28 12:00 CET (11:00 UTC), 2 h late: The source has pub" in said


def test_what_ended_is_told_by_one_digest_of_two() -> None:
    ended_at = NOW + HOUR
    over = an_incident("cats", resolved_at=ended_at, ended_by=Ending.RECOVERED)
    told = [
        "ended"
        in text(engineers_digest(a_morning(over, due_at=NOW + days * 24 * HOUR)))
        for days in range(3)
    ]
    assert told == [False, True, False]


def test_the_night_is_a_day_on_the_wall_when_clocks_change() -> None:
    due_at = datetime(2026, 10, 25, 6, 30, tzinfo=UTC)
    morning = a_morning(due_at=due_at)
    assert due_at - morning.since == 25 * HOUR
    assert morning.day == "2026-10-25"


def test_a_promise_is_due_today_or_missed_and_not_yet_due_tomorrow() -> None:
    def said(promised_for: datetime) -> str:
        human = HumanSide(promised_for=promised_for, promised_by="Ann")
        return text(engineers_digest(a_morning(an_incident("cats", human=human))))

    assert "promised for 2026-11-28 14:00 CET (13:00 UTC) by Ann" in said(NOW + HOUR)
    assert "by Ann (missed)" in said(NOW - HOUR)
    assert "promised" not in said(NOW + 25 * HOUR)


def test_what_is_at_risk_is_not_late() -> None:
    risk = an_incident("cats", state="pass", kind="at_risk", late_since=None)
    assert "1 at risk" in text(engineers_digest(a_morning(risk)))
    assert stakeholders_digest(a_morning(risk)) is None


def test_an_api_that_rejects_our_credentials_is_open_though_nothing_is_late() -> None:
    (name,) = apis_of([CATS])
    headline = "api.example.com rejects our credentials: 2 datasets, 0 late"
    api = an_incident(
        name, state="pass", kind="at_risk", late_since=None, headline=headline
    )
    said = text(engineers_digest(a_morning(api).of([CATS])))
    assert "data-eng this morning: 1 open" in said
    assert headline in said
    other = a_morning(an_incident("_api.elsewhere.1")).of([CATS])
    assert "nothing is open" in text(engineers_digest(other))


def test_failing_checks_are_told_with_who_has_them() -> None:
    load = CheckedLoad(
        dataset="cats",
        checked_at=NOW,
        run_id=None,
        loaded_at=None,
        rules="",
        failing=("rows", "null_names"),
        held=("r1",),
    )
    has = an_incident(
        "cats", kind="quality", human=HumanSide(acknowledged_by="Ann"), late_since=None
    )
    said = text(engineers_digest(a_morning(has, loads={"cats": load})))
    assert "cats: rows, null_names; rows of 1 run are held back; Ann has it" in said
    assert "1 open" not in said


def test_what_nobody_knows_is_not_well() -> None:
    unseen = text(engineers_digest(a_morning(watches={})))
    assert "1 not known" in unseen
    assert "cats: not checked yet" in unseen
    stopped = text(engineers_digest(a_morning(checks_stopped=True)))
    assert stopped == "data-eng this morning: not known, checks have stopped"


def test_silences_that_end_today_are_named() -> None:
    def ends(at: datetime, **of: str) -> str:
        silence = Silence(
            silence_id="1",
            by="Ann",
            why="maintenance",
            starts_at=NOW - HOUR,
            until=at,
            ends_at=at,
            **of,  # type: ignore[arg-type]  # by name
        )
        return text(engineers_digest(a_morning(silences=(silence,))))

    today = NOW + 2 * HOUR
    assert "team data-eng: until 2026-11-28 15:00" in ends(today, team="data-eng")
    assert "maintenance" not in ends(today, team="web")
    assert "maintenance" not in ends(NOW + 30 * HOUR, dataset="cats")
    assert "maintenance" in ends(today, cause="pipe_stopped")


def test_what_is_silenced_is_said_to_be_and_told_to_no_stakeholder_before() -> None:
    silence = Silence(
        silence_id="1",
        by="Ann",
        why="maintenance",
        starts_at=NOW - HOUR,
        until=NOW + 30 * HOUR,
        ends_at=NOW + 30 * HOUR,
        dataset="cats",
    )
    unheard = an_incident("cats", told=())
    morning = a_morning(unheard, silences=(silence,))
    assert "nobody has it; silenced until 2026-11-29" in text(engineers_digest(morning))
    assert stakeholders_digest(morning) is None
    heard = an_incident("cats", told=(Recipient.STAKEHOLDERS,))
    assert stakeholders_digest(a_morning(heard, silences=(silence,))) is not None
    assert stakeholders_digest(a_morning(unheard)) is not None


def test_stakeholders_read_what_is_late_and_until_when() -> None:
    late = an_incident("cats", eta=NOW + HOUR)
    said = text(stakeholders_digest(a_morning(late)))
    assert said.startswith("cats is late this morning\n")
    assert "expected at 2026-11-28 14:00 CET (13:00 UTC)" in said
    human = HumanSide(promised_for=NOW + HOUR, promise_words="we wait for a file")
    promised = text(stakeholders_digest(a_morning(an_incident("cats", human=human))))
    assert "expected at 2026-11-28 14:00 CET" in promised
    assert "From the team: we wait for a file" in promised
    passed = an_incident("cats", eta=NOW - HOUR)
    assert "when it comes is not known yet" in text(
        stakeholders_digest(a_morning(passed))
    )


def test_each_channel_hears_of_its_own_datasets() -> None:
    datasets = (owned("cats", "#a", "#c"), owned("dogs", "#b"), owned("fish", None))
    incidents = [an_incident(one.name) for one in datasets]
    found = {
        (one.audience.value, one.channel, one.address): text(one.message)
        for one in made(a_morning(*incidents, datasets=datasets))
    }
    assert set(found) == {
        ("engineers", "sns", None),
        ("engineers", "slack", "#a"),
        ("engineers", "slack", "#b"),
        ("engineers", "slack", None),
        ("stakeholders", "sns", None),
        ("stakeholders", "slack", "#c"),
        ("stakeholders", "slack", None),
    }
    assert "3 open" in found["engineers", "sns", None]
    assert "dogs" not in found["engineers", "slack", "#a"]
    assert "cats" not in found["stakeholders", "slack", None]


def test_a_digest_pages_nobody_and_its_id_is_of_its_day() -> None:
    one = made(a_morning(an_incident("cats")))[0]
    assert one.kind is NoticeKind.DIGEST
    assert not one.page
    assert one.mention is None
    assert one.notice_id == "digest-data-eng-2026-11-28-engineers.sns"


def test_a_digest_has_bounds_whatever_it_is_made_of() -> None:
    datasets = tuple(owned(f"d{number}", f"#c{number}") for number in range(60))
    incidents = [an_incident(x.name, headline="<!channel>" * 20_000) for x in datasets]
    found = made(a_morning(*incidents, datasets=datasets))
    assert len(found) <= 2 * ADDRESSES + 4
    assert max(len(text(one.message)) for one in found) < 5_000
    assert "<!channel>" not in str(as_slack(found[0].message))


def test_a_team_without_datasets_hears_nothing() -> None:
    assert made(a_morning(datasets=())) == ()
