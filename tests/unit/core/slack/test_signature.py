"""Whose request it is: nothing that anybody can send is answered, or raises."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.slack.signature import (
    MAX_BODY,
    NotSlack,
    TooLarge,
    request_of,
    sign,
    verify,
)

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SECRET = "signing"
BODY = b"payload=%7B%7D"


def event(
    body: bytes = BODY, *, encoded: bool = True, at: datetime = NOW, **headers: object
) -> dict[str, Any]:
    stamp = str(int(at.timestamp()))
    signed = b"v0:%s:%s" % (stamp.encode(), body)
    return {
        "headers": {
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": sign(signed, SECRET),
            **headers,
        },
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }


def is_accepted(given_event: dict[str, Any], *secrets: str) -> bool:
    try:
        verify(request_of(given_event), secrets or [SECRET], now=NOW)
    except NotSlack:
        return False
    return True


@pytest.mark.parametrize("encoded", [True, False])
def test_what_slack_signed_is_accepted(*, encoded: bool) -> None:
    assert is_accepted(event(encoded=encoded))
    assert request_of(event(encoded=encoded)).body == BODY


def test_one_of_two_secrets_is_enough_while_it_is_changed() -> None:
    assert is_accepted(event(), "new", SECRET)
    assert not is_accepted(event(), "new")


@pytest.mark.parametrize("seconds", [-301, 301, 10**7])
def test_what_is_replayed_later_is_refused(seconds: int) -> None:
    assert not is_accepted(event(at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [-299, 299])
def test_a_clock_that_is_minutes_off_is_accepted(seconds: int) -> None:
    assert is_accepted(event(at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    "change",
    [
        {"x-slack-request-timestamp": "soon"},
        {"x-slack-request-timestamp": f" {int(NOW.timestamp())}"},
        {"x-slack-request-timestamp": "١٧٦٣٨٨٨٤٠٠"},
        {"x-slack-request-timestamp": str(int(NOW.timestamp())) * 9},
        {"x-slack-request-timestamp": None},
        {"x-slack-signature": "v0=ü"},
        {"x-slack-signature": ["v0=" + "0" * 64]},
        {"x-slack-signature": "v0=" + "0" * 64},
        {"x-slack-signature": ""},
    ],
)
def test_headers_of_any_shape_are_refused(change: dict[str, Any]) -> None:
    assert not is_accepted(event(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"body": "%%%"},
        {"body": "ü" * 9},
        {"body": None},
        {"headers": None},
        {"headers": []},
        {"body": BODY.decode() + "x", "isBase64Encoded": False},
    ],
)
def test_bodies_of_any_shape_are_refused(change: dict[str, object]) -> None:
    assert not is_accepted({**event(), **change})


def test_what_is_too_large_is_refused_before_it_is_hashed() -> None:
    for encoded in (True, False):
        with pytest.raises(TooLarge):
            request_of(event(b"x" * (MAX_BODY + 1), encoded=encoded))
    assert is_accepted(event(b"x" * MAX_BODY))


_ANYTHING = st.none() | st.text(max_size=80) | st.lists(st.text(max_size=9), max_size=2)


@settings(max_examples=60, deadline=None)
@given(stamp=_ANYTHING, signature=_ANYTHING, body=_ANYTHING, encoded=st.booleans())
def test_nothing_unsigned_is_accepted_or_raises(
    stamp: object, signature: object, body: object, *, encoded: bool
) -> None:
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}
    given_event = {"headers": headers, "body": body, "isBase64Encoded": encoded}
    assert not is_accepted(given_event)


@settings(max_examples=40, deadline=None)
@given(body=st.binary(max_size=200), place=st.integers(0, 199))
def test_one_byte_that_differs_is_refused(body: bytes, place: int) -> None:
    assert is_accepted(event(body))
    other = bytearray(body or b"x")
    other[place % len(other)] ^= 1
    signed = event(body)
    signed["body"] = base64.b64encode(bytes(other)).decode()
    assert not is_accepted(signed)
