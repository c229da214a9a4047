from __future__ import annotations

import dataclasses

import pytest

from lambdas.core.dataset import Freshness
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.groups import _rank, batches_of
from lambdas.core.incidents.incident import (
    Ending,
    NoticeKind,
    Recipient,
    advance,
    retired,
)
from lambdas.core.incidents.incident import Recipient as TellAudience
from lambdas.core.incidents.notice import Notice, notices
from lambdas.core.incidents.quality import quality_verdict
from lambdas.core.names import MONITOR
from lambdas.core.quality.result import QualityResult
from tests.datasets import a_dataset
from tests.watched import HOUR, NOW, a_verdict

LATER = NOW + HOUR


def of_api(name: str, api: str, cause: str = "upstream_down") -> Notice:
    source = {
        "client": {"base_url": f"https://{api}/v1/"},
        "endpoint": {"path": "cats", "incremental": {"cursor_path": "at"}},
    }
    tell = frozenset({TellAudience.ENGINEERS})
    verdict = a_verdict("error", cause, dataset=name, page=True, tell=tell)
    (notice,) = notices(
        advance(None, verdict, now=NOW),
        verdict,
        subject=context_of(a_dataset(name=name, source=source)),
        routes={Recipient.ENGINEERS: ["slack"]},
        now=NOW,
    )
    return notice


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        ("upstream_down", "The source does not answer"),
        ("credentials_rejected", "The source rejects our access"),
        (
            "quota_exhausted",
            "We have reached the limit of what the source lets us fetch",
        ),
    ],
)
def test_two_apis_that_fail_are_two_messages(cause: str, why: str) -> None:
    waiting = [of_api(f"a{number}", "one.example.com", cause) for number in range(5)]
    waiting += [of_api(f"b{number}", "two.example.com", cause) for number in range(5)]
    headlines = [batch.message.headline for batch in batches_of(waiting)]
    assert headlines == [
        f"[page] 5 datasets late: {why} (one.example.com)",
        f"[page] 5 datasets late: {why} (two.example.com)",
    ]


def test_a_cause_that_is_no_apis_is_one_message_for_all() -> None:
    waiting = [
        of_api(f"c{number}", f"{number}.example.com", "pipe_stopped")
        for number in range(5)
    ]
    (batch,) = batches_of(waiting)
    assert batch.message.headline == (
        "[page] 5 datasets late: Loading into the warehouse is stopped; the data waits "
        "to be loaded"
    )


def of_state(name: str, state: str, cause: str, *, is_over: bool) -> Notice:
    at_risk = state == "pass" and cause != "monitor_misread"
    tell = frozenset({TellAudience.ENGINEERS})
    verdict = a_verdict(state, cause, dataset=name, at_risk=at_risk, tell=tell)
    transition = advance(None, verdict, now=NOW)
    if is_over and transition.incident is not None:
        recovered = Ending.RECOVERED
        transition = retired(transition.incident, now=NOW, ending=recovered)
    (notice,) = notices(
        transition,
        verdict,
        subject=context_of(a_dataset(name=name)),
        routes={Recipient.ENGINEERS: ["sns"]},
        now=NOW,
    )
    return notice


@pytest.mark.parametrize(
    ("state", "cause", "open_as", "over_as"),
    [
        ("error", "pipe_stopped", "late", "up to date again"),
        ("pass", "pipe_stopped", "at risk", "no longer at risk"),
        ("unknown", "monitor_blind", "cannot be judged", "can be read again"),
        (
            "pass", "monitor_misread",
            "were misjudged", "are judged rightly again",
        ),
    ],
)  # fmt: skip
def test_many_are_said_to_be_what_each_of_them_is(
    state: str, cause: str, open_as: str, over_as: str
) -> None:
    for is_over, said in ((False, open_as), (True, over_as)):
        waiting = [of_state(name, state, cause, is_over=is_over) for name in "ab"]
        (batch,) = batches_of(waiting)
        headline, _, why = batch.message.headline.partition(": ")
        assert headline.removeprefix("[page] ") == f"2 datasets {said}"
        assert bool(why) is not is_over


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (Ending.NOT_PROMISED, "2 datasets are no longer promised"),
        (Ending.REMOVED, "2 datasets were removed"),
        (Ending.CLOSED, "2 datasets were closed by hand"),
        (Ending.FALSE_ALARM, "2 datasets were false alarms"),
    ],
)
def test_many_that_ended_otherwise_are_said_to_have_ended_so(
    ending: Ending, said: str
) -> None:
    waiting = [
        dataclasses.replace(
            of_state(name, "error", "pipe_stopped", is_over=True), ended_by=ending
        )
        for name in "ab"
    ]
    (batch,) = batches_of(waiting)
    assert batch.message.headline == said


@pytest.mark.parametrize("kind", ["promised", "edited", "reported", "digest", "causes"])
def test_what_a_person_adds_and_what_is_told_by_the_calendar_stands_alone(
    kind: str,
) -> None:
    notice = of_state("a", "error", "pipe_stopped", is_over=False)
    many = [
        dataclasses.replace(notice, notice_id=f"n{n}", kind=NoticeKind(kind))
        for n in range(9)
    ]
    assert len(batches_of(many)) == 9


def test_each_of_what_stands_alone_keeps_its_place_among_others() -> None:
    late = of_state("a", "error", "pipe_stopped", is_over=False)
    told = dataclasses.replace(late, kind=NoticeKind.PROMISED)
    waiting = [
        dataclasses.replace(told, notice_id="n1"),
        dataclasses.replace(told, notice_id="n2", together="click"),
        dataclasses.replace(told, notice_id="n3", together="click"),
    ]
    sizes = [len(batch.notices) for batch in batches_of(waiting)]
    assert sorted(sizes) in ([1, 2], [1, 1, 1])
    assert sizes[0] == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("opened", "late"),
        ("changed", "still late"),
        ("blind", "late, and now they cannot be read"),
        ("reminder", "still late"),
        ("daily", "still late"),
        ("reopened", "late again"),
        ("flapping", "late again and again"),
        ("overdue", "did not come when expected"),
        ("resolved", "up to date again"),
        ("repaired", "repaired"),
    ],
)
def test_each_kind_of_news_of_many_has_its_words(kind: str, said: str) -> None:
    waiting = [
        dataclasses.replace(
            of_state(name, "error", "pipe_stopped", is_over=False),
            kind=NoticeKind(kind),
        )
        for name in "ab"
    ]
    (batch,) = batches_of(waiting)
    headline = batch.message.headline.partition(": ")[0]
    assert headline.removeprefix("[page] ") == f"2 datasets {said}"


def test_the_worst_of_many_comes_first_by_state_age_and_name() -> None:
    notice = of_state("x", "error", "pipe_stopped", is_over=False)
    order = [
        ("c", "error", None), ("b", "error", NOW), ("d", "error", LATER),
        ("a", "error", LATER), ("w", "warn", None), ("u", "unknown", None),
        ("p", "pass", None),
    ]  # fmt: skip
    order[2], order[3] = order[3], order[2]
    waiting = [
        dataclasses.replace(
            notice, notice_id=name, dataset=name, line=name, state=state, newest_at=at
        )
        for name, state, at in reversed(order)
    ]
    worst = sorted(waiting, key=_rank)
    assert [one.dataset for one in worst] == [name for name, _, _ in order]


def test_what_is_wrong_with_the_monitor_stands_alone() -> None:
    notice = of_state("a", "error", "pipe_stopped", is_over=False)
    many = [
        dataclasses.replace(notice, notice_id=f"n{n}", dataset=MONITOR)
        for n in range(9)
    ]
    assert len(batches_of(many)) == 9


def test_what_is_late_and_what_is_at_risk_are_two_messages() -> None:
    waiting = [
        of_state(name, state, "pipe_stopped", is_over=False)
        for name, state in (("a", "pass"), ("b", "error"), ("c", "warn"), ("d", "pass"))
    ]
    said = [batch.message.headline for batch in batches_of(waiting)]
    assert ["2 datasets at risk" in said[0], "2 datasets late" in said[1]] == [True] * 2
    assert len(said) == 2


def of_checks(name: str, audience: Recipient) -> Notice:
    failing = QualityResult(
        check="ids", metric="duplicateValues", column="id", severity="error",
        state="fail", value=3, must="0", at=NOW, since_run="r1",
    )  # fmt: skip
    verdict = quality_verdict(
        name, [failing], promise=Freshness(), environment=None, file="x.yaml"
    )
    (notice,) = notices(
        advance(None, verdict, now=NOW),
        verdict,
        subject=context_of(a_dataset(name=name, owner={"team": "zoo"})),
        routes={audience: ["sns"]},
        now=NOW,
    )
    return notice


@pytest.mark.parametrize(
    ("audience", "line"),
    [
        (Recipient.ENGINEERS, "cats: ids is 3, and must be 0; zoo"),
        (Recipient.STAKEHOLDERS, "cats: ids is 3, and must be 0; zoo"),
    ],
)
def test_of_many_that_fail_checks_each_line_says_which(
    audience: Recipient, line: str
) -> None:
    (batch,) = batches_of([of_checks(name, audience) for name in ("cats", "dogs")])
    said = batch.message
    assert said.headline.removeprefix("[page] ") == "2 datasets fail checks"
    assert said.blocks[0].lines[0] == line


def test_two_incidents_of_a_dataset_that_are_told_at_once_split_no_message() -> None:
    """Checks of cats and dogs fail, and cats is late: two messages, not three."""
    late = of_state("cats", "error", "pipe_stopped", is_over=False)
    checks = [of_checks(name, Recipient.ENGINEERS) for name in ("ants", "cats", "dogs")]
    told = [
        [one.dataset for one in batch.notices] for batch in batches_of([late, *checks])
    ]
    assert sorted(told) == [["ants", "cats", "dogs"], ["cats"]]
