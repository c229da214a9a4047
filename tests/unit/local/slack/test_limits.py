"""The look-alike takes what Slack takes, and refuses what Slack refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdas.core.incidents.message import Message, block
from lambdas.core.slack.blocks import as_slack
from local.slack.limits import LIMITS, MOST, refusal

Blocks = list[dict[str, Any]]


def a_text(length: int, kind: str = "mrkdwn") -> dict[str, Any]:
    return {"type": kind, "text": "x" * length}


def a_button(**changes: object) -> dict[str, Any]:
    return {"type": "button", "text": a_text(3, "plain_text"), **changes}


def actions(*elements: dict[str, Any]) -> Blocks:
    return [{"type": "actions", "elements": list(elements)}]


def a_section(length: int = 3, **changes: object) -> dict[str, Any]:
    return {"type": "section", "text": a_text(length), **changes}


BY_SIZE: dict[str, Callable[[int], Blocks]] = {
    "blocks of a message": lambda n: [{"type": "divider"}] * n,
    "block_id": lambda n: [a_section(block_id="b" * n)],
    "header.text": lambda n: [{"type": "header", "text": a_text(n, "plain_text")}],
    "section.text": lambda n: [a_section(n)],
    "section.fields": lambda n: [{"type": "section", "fields": [a_text(1)] * n}],
    "section.fields.text": lambda n: [{"type": "section", "fields": [a_text(n)]}],
    "context.elements": lambda n: [{"type": "context", "elements": [a_text(1)] * n}],
    "context.text": lambda n: [{"type": "context", "elements": [a_text(n)]}],
    "actions.elements": lambda n: actions(*[a_button()] * n),
    "button.text": lambda n: actions(a_button(text=a_text(n, "plain_text"))),
    "button.value": lambda n: actions(a_button(value="v" * n)),
    "button.url": lambda n: actions(a_button(url="https://a/" + "u" * (n - 10))),
    "action_id": lambda n: actions(a_button(action_id="a" * n)),
    "image.alt_text": lambda n: [
        {"type": "image", "image_url": "https://a/b.png", "alt_text": "x" * n}
    ],
    "image.image_url": lambda n: [
        {"type": "image", "image_url": "https://a/" + "u" * (n - 10), "alt_text": "x"}
    ],
    "markdown.text": lambda n: [{"type": "markdown", "text": "x" * n}],
}


def test_every_limit_has_its_test() -> None:
    assert {*BY_SIZE, "attachments"} == {limit.what for limit in LIMITS}
    assert all(limit.source.startswith("Slack: ") for limit in LIMITS)


@pytest.mark.parametrize("what", BY_SIZE)
def test_what_is_at_its_limit_is_taken_and_one_more_is_refused(what: str) -> None:
    most = MOST[what]

    assert refusal({"text": "t", "blocks": BY_SIZE[what](most)}) is None
    assert refusal({"text": "t", "blocks": BY_SIZE[what](most + 1)}) == "invalid_blocks"


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ([], "invalid_payload"),
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": 3}, "invalid_payload"),
        ({"text": "t", "blocks": {}}, "invalid_blocks_format"),
        ({"text": "t", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "t", "blocks": [{"type": "input"}]}, "invalid_blocks"),
        ({"text": "t", "blocks": ["text"]}, "invalid_blocks"),
        ({"text": "t", "blocks": [a_section(0)]}, "invalid_blocks"),
        ({"text": "t", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"text": "t", "blocks": [{"type": "context"}]}, "invalid_blocks"),
        ({"text": "t", "blocks": actions()}, "invalid_blocks"),
        (
            {"text": "t", "blocks": [{"type": "header", "text": a_text(3)}]},
            "invalid_blocks",
        ),
        (
            {"text": "t", "blocks": actions(a_button(url="javascript:alert(1)"))},
            "invalid_blocks",
        ),
        (
            {"text": "t", "blocks": [a_section(block_id="b"), a_section(block_id="b")]},
            "invalid_blocks",
        ),
        (
            {
                "text": "t",
                "blocks": actions(a_button(action_id="a"), a_button(action_id="a")),
            },
            "invalid_blocks",
        ),
        (
            {
                "text": "t",
                "blocks": [a_section(text={**a_text(3), "emoji": True})],
            },
            "invalid_blocks",
        ),
    ],
)
def test_what_is_malformed_is_refused_by_its_word(message: object, word: str) -> None:
    assert refusal(message) == word


def test_our_longest_message_is_taken() -> None:
    long = "<&>" * 40_000
    message = Message(
        headline=long,
        blocks=tuple(block(long, [long] * 30, listed=True) for _ in range(60)),
    )

    assert refusal(as_slack(message)) is None
