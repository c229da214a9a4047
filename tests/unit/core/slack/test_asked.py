"""What a verified body asks for, and that nothing in it becomes an error of ours."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.errors import BadInput
from lambdas.core.slack.asked import FieldFault, asked, queue_id

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def payload(text: str) -> bytes:
    return urlencode({"payload": text}).encode()


@given(st.text(max_size=400), st.text(max_size=400))
def test_an_id_of_a_queue_is_taken_by_sqs_and_tells_texts_apart(
    one: str, other: str
) -> None:
    assert re.fullmatch(r"[!-~]{1,128}", queue_id(one))
    assert (queue_id(one) == queue_id(other)) is (one == other)


def test_a_click_that_sqs_takes_as_it_is_keeps_its_name() -> None:
    assert queue_id("U0ANN:pull:1700.1") == "U0ANN:pull:1700.1"
    assert len(queue_id("größe")) == 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        '"\\ud800"',
        '{"type": "block_actions", "team": {"id": "T"}, "user": {"id": "\\ud800"}}',
        '{"type": "view_submission", "team": {"id": "T"}, "user": {"id": "U"}}',
    ],
)
def test_a_payload_that_slack_does_not_send_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        asked(payload(text), now=NOW)


_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.sampled_from(["promise", "cause", "acknowledge", "catflap", "T", '{"a":1}']),
)
_KEYS = st.sampled_from(
    [
        *("type", "team", "user", "id", "team_id", "actions", "block_id", "value"),
        *("action_id", "action_ts", "channel", "trigger_id", "view", "state", "values"),
        *("private_metadata", "callback_id", "when", "words", "cause", "fix"),
        *("selected_date_time", "selected_option", "incident", "message", "ts"),
    ]
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=6)
    ),
    max_leaves=25,
)


@given(
    st.sampled_from(
        ["block_actions", "view_submission", "message_action", "shortcut", "x"]
    ),
    st.dictionaries(_KEYS, _TREES, max_size=8),
)
def test_whatever_a_signed_payload_holds_it_is_understood_or_refused(
    kind: str, fields: dict[str, object]
) -> None:
    whole = {"team": {"id": "T"}, "user": {"id": "U"}, **fields, "type": kind}
    with contextlib.suppress(BadInput, FieldFault):
        asked(payload(json.dumps(whole)), now=NOW)


@given(st.binary(max_size=300))
def test_whatever_a_signed_body_is_it_is_understood_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadInput, FieldFault):
        asked(body, now=NOW)
