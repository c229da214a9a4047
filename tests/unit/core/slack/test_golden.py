"""Every kind of message at every extreme: valid, mentioning nobody, as it was read."""

from __future__ import annotations

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from lambdas.core.incidents.incident import NoticeKind
from local.slack.limits import refusal
from local.slack.views import view_fault
from tests.slack_messages import (
    EXTREMES,
    GOLDEN,
    golden,
    golden_modals,
    mentions_in,
    messages,
    modals,
)


@pytest.mark.parametrize("kind", NoticeKind)
def test_slack_takes_every_kind_at_every_extreme_and_nobody_is_mentioned_by_accident(
    kind: NoticeKind,
) -> None:
    for extreme in EXTREMES:
        found = list(messages(kind, extreme))
        assert found, extreme
        for sent in found:
            where = f"{extreme}, {sent.name}"
            blocks = sent.payload["blocks"]
            made = Block.parse_all(blocks)
            assert len(made) == len(blocks), where
            for one in made:
                one.validate_json()
            assert refusal(dict(sent.payload)) is None, where
            assert mentions_in(sent.payload) == set(sent.mentions), where
            # for who hears it read, and for chat.update
            assert 0 < len(sent.payload["text"]) <= 4_000, where


def test_who_only_hears_an_open_incident_hears_the_next_step_too() -> None:
    for extreme in EXTREMES:
        alone = next(
            one
            for one in messages(NoticeKind.OPENED, extreme)
            if one.name.startswith("engineers: late")
        )
        said = alone.payload["text"]
        for part in ("cats 2 h late", "Since: ", "Next step: `catflap replay cats"):
            assert part in said, extreme


def test_slack_opens_every_modal() -> None:
    for sent in modals():
        View(**sent.payload).validate_json()
        assert view_fault(sent.payload) is None


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_message_is_as_it_was_read(kind: NoticeKind) -> None:
    """`.venv/bin/python -m tests.slack_messages` writes them anew; read the change."""
    kept = (GOLDEN / f"{kind.value}.txt").read_text(encoding="utf-8")
    assert golden(kind) == kept


def test_a_modal_is_as_it_was_read() -> None:
    assert golden_modals() == (GOLDEN / "modals.txt").read_text(encoding="utf-8")
