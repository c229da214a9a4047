"""What people say of an incident, and who hears it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.errors import BadInput
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.groups import batches_of
from lambdas.core.incidents.human import (
    Change,
    PersonReport,
    changed_by_hand,
    reported,
    said_by,
)
from lambdas.core.incidents.incident import Incident, NoticeKind, Recipient, advance
from lambdas.core.incidents.message import as_mail
from lambdas.core.incidents.notice import Notice, notices
from tests.datasets import a_dataset
from tests.watched import HOUR, NOW, a_verdict

LATER = NOW + HOUR
ROUTES = dict.fromkeys(Recipient, ("sns",))


def an_incident(state: str = "error", cause: str = "pipe_stopped") -> Incident:
    incident = advance(None, a_verdict(state, cause), now=NOW).incident
    assert incident is not None
    return incident


def change(before: Incident, **what: object) -> tuple[Incident, list[Notice]]:
    wanted = Change(by="mia", **what)  # type: ignore[arg-type]  # fields by name
    transition = changed_by_hand(before, wanted, now=LATER)
    after = transition.incident
    assert after is not None
    made = notices(
        transition,
        said_by(after),
        subject=context_of(a_dataset()),
        routes=ROUTES,
        now=LATER,
    )
    return after, list(made)


def headlines(made: list[Notice]) -> dict[str, str]:
    return {notice.audience.value: notice.message.headline for notice in made}


def test_who_acknowledges_has_it_and_nobody_is_told() -> None:
    after, made = change(an_incident(), acknowledge=True)
    assert (after.human.acknowledged_at, after.human.acknowledged_by) == (LATER, "mia")
    assert made == []
    # The first to say so has it.
    again, _ = change(
        dataclasses.replace(
            after, human=dataclasses.replace(after.human, acknowledged_by="otto")
        ),
        acknowledge=True,
    )
    assert again.human.acknowledged_by == "otto"


def test_a_change_that_changes_nothing_is_not_recorded() -> None:
    before = an_incident()
    assert change(before)[0] is before
    acknowledged, _ = change(before, acknowledge=True)
    assert change(acknowledged, acknowledge=True)[0] is acknowledged


def test_a_promised_time_is_told_to_stakeholders_once() -> None:
    promised_for = NOW + 4 * HOUR
    after, made = change(an_incident(), promised_for=promised_for)
    assert after.expected_at == promised_for
    (notice,) = made
    assert (notice.audience, notice.kind) == (
        Recipient.STAKEHOLDERS, NoticeKind.PROMISED,
    )  # fmt: skip
    assert "expected by" in notice.message.headline
    assert "2026-11-23 13:00 UTC" in as_mail(notice.message)[1]
    assert change(after, promised_for=promised_for)[1] == []
    assert len(change(after, promised_for=promised_for + HOUR)[1]) == 1


def test_who_hears_a_promise_has_heard_of_the_incident() -> None:
    before = dataclasses.replace(an_incident(), told=(Recipient.ENGINEERS,))
    after, _ = change(before, promised_for=NOW + 4 * HOUR)
    assert after.told == (Recipient.ENGINEERS, Recipient.STAKEHOLDERS)
    assert change(before, note="on it")[0].told == (Recipient.ENGINEERS,)


def test_a_promise_stays_its_makers_whoever_adds_what() -> None:
    after, _ = change(an_incident(), promised_for=NOW + 4 * HOUR, words="by lunch")
    ann = Change(by="ann", note="on it", words="soon")
    later = changed_by_hand(after, ann, now=LATER).incident
    assert later is not None
    for one in (after.human, later.human):
        assert (one.promised_by, one.promise_words) == ("mia", "by lunch")
    closed, _ = change(after, resolve=True)
    noted = changed_by_hand(closed, Change(by="ann", note="it was Bo"), now=LATER)
    assert noted.incident is not None
    assert noted.incident.human.resolved_by == "mia"


def test_each_promise_leaves_as_a_letter_of_its_own() -> None:
    _, (notice,) = change(an_incident(), promised_for=NOW + 4 * HOUR)
    many = [dataclasses.replace(notice, notice_id=f"n{n}") for n in range(9)]
    assert len(batches_of(many)) == 9


def test_stakeholders_who_heard_nothing_of_it_hear_no_promise() -> None:
    blind = an_incident("unknown", "monitor_blind")
    after, made = change(blind, promised_for=NOW + 4 * HOUR)
    assert after.human.promised_for is not None
    assert made == []


def test_a_promise_that_passed_is_no_longer_what_is_expected() -> None:
    after, _ = change(an_incident(), promised_for=NOW + 2 * HOUR)
    worse = a_verdict("error", "rows_deleted", page=True)
    transition = advance(after, worse, now=NOW + 3 * HOUR)
    told = notices(
        transition,
        worse,
        subject=context_of(a_dataset()),
        routes=ROUTES,
        now=NOW + 3 * HOUR,
    )
    bodies = [
        as_mail(notice.message)[1]
        for notice in told
        if notice.audience is not Recipient.SYSTEMS
    ]
    assert bodies
    for body in bodies:
        assert "not known yet; it was expected by 2026-11-23 11:00 UTC" in body


def test_what_is_closed_by_hand_is_told_without_a_word_on_the_data() -> None:
    after, made = change(an_incident(), resolve=True)
    assert after.resolved_at == LATER
    told = headlines(made)
    assert (
        told["engineers"]
        == told["stakeholders"]
        == ("cats: the incident was closed by mia")
    )
    assert told["systems"] == "dataset.closed cats"
    assert after.ended_by == "closed"


def test_a_note_is_added_to_a_colleagues() -> None:
    first, _ = change(an_incident(), note="a hose burst")
    second, made = change(first, note="it is mended")
    assert second.human.note == "a hose burst\nit is mended"
    assert second.version == first.version + 1
    assert made == []


def test_a_check_keeps_what_people_said() -> None:
    after, _ = change(an_incident(), note="on it", promised_for=NOW + 9 * HOUR)
    later = advance(after, a_verdict("error", "rows_deleted"), now=LATER + HOUR)
    assert later.incident is not None
    assert later.incident.human == after.human


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ({"promised_for": NOW - HOUR}, "is over; a time to come"),
        ({"cause": "gremlins"}, "not a cause; accepted: credentials_rejected"),
        ({"fix_url": "javascript:alert(1)"}, "not a web address"),
    ],
)
def test_what_cannot_be_is_refused(what: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        change(an_incident(), **what)


def test_what_is_over_takes_a_cause_and_no_promise() -> None:
    over, _ = change(an_incident(), resolve=True)
    after, made = change(over, cause="pipe_backlog", fix_url="https://example.com/1")
    assert (after.human.cause, made) == ("pipe_backlog", [])
    assert after.resolved_at == over.resolved_at
    for what in (
        {"acknowledge": True},
        {"resolve": True},
        {"promised_for": datetime(2027, 1, 1, tzinfo=UTC)},
    ):
        with pytest.raises(BadInput, match="is over since"):
            change(over, **what)


def test_a_promise_in_another_zone_is_the_same_moment() -> None:
    zone = datetime.fromisoformat("2026-11-23T15:00:00+02:00")
    after, _ = change(an_incident(), promised_for=zone)
    assert after.expected_at == NOW + timedelta(hours=4)


def test_whoever_reported_it_in_slack_hears_of_its_end_by_themselves() -> None:
    incident: Incident | None = None
    for number, user in enumerate(("U0ANN", "U0BEN", "U0ANN", None)):
        told = PersonReport(
            dataset="cats", by="x", words="odd", key=f"slash:{number}", user=user
        )
        incident = reported(incident, told, now=NOW).incident
    assert incident is not None
    assert incident.human.reporters == ("U0ANN", "U0BEN")
    over = changed_by_hand(incident, Change(by="mia", resolve=True), now=LATER)
    assert over.incident is not None
    owner = {"team": "cats", "slack": "#cats", "stakeholders": "#people"}
    made = notices(
        over,
        said_by(over.incident),
        subject=context_of(a_dataset(owner=owner)),
        routes=dict.fromkeys(Recipient, ("sns", "slack")),
        now=LATER,
    )
    assert len({one.notice_id for one in made}) == len(made)
    to_people = [
        one.address
        for one in made
        if one.channel == "slack" and one.audience is Recipient.STAKEHOLDERS
    ]
    assert to_people == ["#people", "U0ANN", "U0BEN"]
    assert len(batches_of([one for one in made if one.channel == "slack"])) == 4
