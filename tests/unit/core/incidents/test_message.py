"""Messages fit where they are sent, whatever stands in them."""

from __future__ import annotations

import dataclasses
import html
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.incidents.context import IncidentContext, context_of, promise_of
from lambdas.core.incidents.groups import TOGETHER_FROM, batches_of
from lambdas.core.incidents.incident import (
    HumanSide,
    Incident,
    NoticeKind,
    Recipient,
    advance,
    in_plain_words,
)
from lambdas.core.incidents.message import (
    LINES,
    Block,
    Message,
    as_mail,
    block,
    cut,
    local_time,
)
from lambdas.core.incidents.notice import Notice, notices
from lambdas.core.incidents.texts import engineers_message, stakeholders_message
from lambdas.core.slack.blocks import as_slack
from tests.datasets import a_dataset
from tests.watched import NOW, a_verdict

HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from("&<>*_`~@#!\n\r\t\"'\\…é猫\x00\u202e"), st.characters()
    ),
    max_size=400,
)
LONG = st.builds(lambda text, times: text * times, HOSTILE, st.integers(1, 40))
MESSAGES = st.builds(
    Message,
    headline=LONG,
    blocks=st.lists(
        st.builds(
            Block,
            label=st.none() | st.text(max_size=20),
            lines=st.lists(LONG, max_size=4).map(tuple),
            listed=st.booleans(),
            aside=st.booleans(),
        ),
        max_size=60,
    ).map(tuple),
)


def texts(blocks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for item in blocks:
        parts = item.get("elements", [item.get("text")])
        found += [(item["type"], part["text"]) for part in parts]
    return found


@given(MESSAGES)
def test_slack_takes_every_message(message: Message) -> None:
    payload: Any = as_slack(message)
    assert json.dumps(payload)
    assert len(payload["text"]) <= 4000
    blocks = payload["blocks"]
    assert 1 <= len(blocks) <= 50
    for kind, text in texts(blocks):
        limit = {"header": 150, "section": 3000, "context": 2000}[kind]
        assert 1 <= len(text) <= limit
        if kind != "header":
            assert "<" not in text
            assert ">" not in text
            # nothing but whole entities: escaped again it is the same text
            assert html.escape(html.unescape(text), quote=False) == text


@given(MESSAGES)
def test_sns_takes_every_message(message: Message) -> None:
    subject, body = as_mail(message)
    assert 1 <= len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()
    assert not subject[0].isspace()
    assert len(body.encode()) <= 256 * 1024


def test_what_is_left_out_is_counted() -> None:
    many: Any = as_slack(
        Message(headline="x", blocks=(Block(lines=("y",)),) * 60),
    )
    assert "12 more blocks" in many["blocks"][-1]["elements"][0]["text"]
    assert block(None, ["x"] * 20).lines[-1] == f"… and {20 - LINES} more"
    long: Any = as_slack(Message(headline="x", blocks=(Block(lines=("&" * 4000,)),)))
    text = long["blocks"][1]["text"]["text"]
    shown = text.count("&amp;")
    assert f"({4000 - shown} more characters)" in text


@given(st.text(max_size=300), st.integers(60, 200))
def test_a_cut_text_says_how_much_is_missing(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert len(short) <= limit
    if len(text) > limit:
        kept, _, rest = short.rpartition(" … (")
        assert text.startswith(kept)
        assert rest == f"{len(text) - len(kept)} more characters)"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "2013-01-07 12:00 UTC"),
        ("America/New_York", "2013-01-07 07:00 EST (12:00 UTC)"),
        ("Pacific/Auckland", "2013-01-08 01:00 NZDT (2013-01-07 12:00 UTC)"),
    ],
)
def test_a_time_is_in_the_readers_zone_and_in_utc(zone: str, expected: str) -> None:
    assert local_time(datetime(2013, 1, 7, 12, tzinfo=UTC), zone) == expected


DATASET = a_dataset(
    description="Every cat of New York",
    owner={"team": "data-eng", "slack": "#data-eng", "stakeholders": "#cat-people"},
    freshness={
        "loaded_at_field": "at",
        "warn_after": {"count": 3, "period": "hour"},
        "error_after": {"count": 1, "period": "day"},
        "calendar": {"timezone": "America/New_York"},
    },
)
SUBJECT = context_of(DATASET)


def incident(**changes: object) -> Incident:
    made = advance(
        None, a_verdict(), now=NOW, newest_at=datetime(2026, 11, 22, 20, tzinfo=UTC)
    ).incident
    assert made is not None
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # fields by name


def test_engineers_read_what_to_do_and_on_what_it_rests() -> None:
    _, body = as_mail(
        engineers_message(
            NoticeKind.OPENED, incident(), a_verdict(), SUBJECT, page=True
        )
    )
    for part in (
        "[page] cats is error: pipe_stopped",
        "newest data 2026-11-22 15:00 EST (20:00 UTC)",
        "data no older than 3 hours (warning), 1 day (error), by `at`",
        "pipe_stopped",
        "- the pipe is PAUSED",
        "Next step: resume the pipe",
        "Next expected: not known yet",
        "Owner: data-eng #data-eng",
        "docs/runbooks/pipe_stopped.md",
        "incident cats-20261123T090000Z",
    ):
        assert part in body


def test_stakeholders_read_none_of_our_words() -> None:
    _, body = as_mail(stakeholders_message(NoticeKind.OPENED, incident(), SUBJECT))
    assert body.startswith("cats is late")
    assert "Every cat of New York" in body
    assert "Next expected: not known yet" in body
    assert "#cat-people" in body
    for word in ("pipe_stopped", "PAUSED", "runbook", "docs/"):
        assert word not in body


def test_an_expected_time_is_told_and_a_persons_word_goes_before() -> None:
    eta = datetime(2026, 11, 23, 12, tzinfo=UTC)
    told = stakeholders_message(NoticeKind.OPENED, incident(eta=eta), SUBJECT)
    assert "2026-11-23 07:00 EST (12:00 UTC)" in as_mail(told)[1]
    promised = HumanSide(promised_for=datetime(2026, 11, 23, 15, tzinfo=UTC))
    told = stakeholders_message(
        NoticeKind.OPENED, incident(eta=eta, human=promised), SUBJECT
    )
    assert "2026-11-23 10:00 EST (15:00 UTC)" in as_mail(told)[1]


@pytest.mark.parametrize(
    ("freshness", "expected"),
    [
        ({}, "none declared"),
        (
            {"error_after": {"count": 1, "period": "hour"}},
            "data no older than 1 hour (error), by load time",
        ),
        (
            {
                "deadline_cron": "0 7 * * 1-5",
                "lower_bound_delta": {"count": 1, "period": "day"},
                "calendar": {"timezone": "Europe/Berlin"},
            },
            (
                "by every tick of `0 7 * * 1-5` (Europe/Berlin), "
                "with data no older than 1 day before it"
            ),
        ),
    ],
)
def test_a_promise_is_a_sentence(freshness: dict[str, object], expected: str) -> None:
    assert promise_of(a_dataset(freshness=freshness).freshness) == expected


def some_notices(count: int) -> list[Notice]:
    made: list[Notice] = []
    for number in range(count):
        verdict = dataclasses.replace(a_verdict(), dataset=f"t{number}")
        subject = IncidentContext(
            dataset=f"t{number}", description="", promise="", timezone="UTC", team="t"
        )
        made += notices(
            advance(None, verdict, now=NOW),
            verdict,
            subject=subject,
            routes={Recipient.ENGINEERS: ("sns", "slack"), Recipient.SYSTEMS: ("bus",)},
            now=NOW,
        )
    return made


def test_a_few_notices_stay_apart_and_many_become_one_for_each_channel() -> None:
    few = batches_of(some_notices(TOGETHER_FROM - 1))
    assert all(len(batch.notices) == 1 for batch in few)
    many = batches_of(some_notices(100))
    by_channel = {
        name: [x for x in many if x.first.channel == name]
        for name in ("sns", "slack", "bus")
    }
    assert {name: len(found) for name, found in by_channel.items()} == {
        "sns": 1,
        "slack": 1,
        "bus": 10,
    }
    (mail,) = by_channel["sns"]
    assert len(mail.notices) == 100
    assert mail.page
    assert "28 more" in as_mail(mail.message)[1]


def test_a_letter_of_the_same_notices_has_the_same_id() -> None:
    first, second = some_notices(9), some_notices(9)
    ids = {batch.batch_id for batch in batches_of(first)}
    assert ids == {batch.batch_id for batch in batches_of(list(reversed(second)))}


def test_a_label_without_lines_is_left_out() -> None:
    message = Message(headline="x", blocks=(block("Evidence", []),))
    assert as_mail(message)[1] == "x"
    slack: Any = as_slack(message)
    assert len(slack["blocks"]) == 1


def test_the_whole_of_one_mail() -> None:
    """The whole of one mail, so that a change of its look is seen by a person."""
    verdict = a_verdict(also=("load_failed",))
    told = engineers_message(
        NoticeKind.CHANGED, incident(), verdict, SUBJECT, page=False
    )
    assert as_mail(told)[1].splitlines() == [
        "cats is error: pipe_stopped (update)",
        "",
        (
            "Since: newest data 2026-11-22 15:00 EST (20:00 UTC); "
            "seen late 2026-11-23 04:00 EST (09:00 UTC)"
        ),
        "",
        "Promise: data no older than 3 hours (warning), 1 day (error), by `at`",
        "",
        "Where it stopped: not known: pipe_stopped",
        "",
        "Evidence:",
        "- the pipe is PAUSED",
        "",
        "Also:",
        f"- load_failed: {in_plain_words('load_failed')} docs/runbooks/load_failed.md",
        "",
        "Next step: resume the pipe",
        "",
        "Next expected: not known yet",
        "",
        "Owner: data-eng #data-eng",
        "",
        "Runbook: docs/runbooks/pipe_stopped.md",
        "",
        "incident cats-20261123T090000Z · Every cat of New York",
    ]
