"""Every kind of message at every extreme: Slack takes it, and it mentions nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from lambdas.core.incidents.groups import batches_of
from lambdas.core.incidents.human import Action
from lambdas.core.incidents.incident import NoticeKind, Recipient
from lambdas.core.incidents.message import Block, Message, block, local_time, with_times
from lambdas.core.slack.blocks import BUTTONS, as_slack, reply
from lambdas.core.slack.mentions import mentioned
from local.slack.limits import refusal
from tests.watched import NOW, a_batch

EXTREMES = {
    "the longest names": "d" * 48 + " " + "é" * 4_000,
    "100 KB of an error": "<html>" + "x & y < z > " * 10_000,
    "mentions": "<!channel> <!here> <@U0ANN> <!subteam^S1> @here #general",
    "quotes": '"it\'s" `code` ```block``` *bold* _it_ ~no~ > quoted',
    "emoji": "🔥" * 2_000 + " :fire:",
    "right to left": "\u202eتأخرت البيانات\u202c " * 200,
    "Markdown": "# a\n- b\n[c](https://example.com) | d |",
    "controls": "a\x00b\x1b[31mc\r\nd",
    "nothing": "",
}
_MENTION = re.compile(r"<[!@#][^>]*>")


def hostile(text: str) -> Message:
    return Message(
        headline=f"cats 3 h late: {text}",
        blocks=(
            block("Since", [local_time(NOW, "America/New_York")]),
            block("Evidence", [text] * 40, listed=True),
            *(Block(label=text[:100] or None, lines=(text,)) for _ in range(60)),
            block(None, [text], aside=True),
        ),
    )


def parsed(value: Any) -> Iterator[str]:
    """The texts in which Slack looks for mentions: not those of `plain_text`."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        for inner in value.values():
            yield from parsed(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parsed(inner)


def mentions_in(payload: dict[str, Any]) -> set[str]:
    texts = [payload["text"], *parsed(payload["blocks"])]
    found = {one for text in texts for one in _MENTION.findall(text)}
    return {one for one in found if not one.startswith("<!date^")}


@pytest.mark.parametrize("text", EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize("mention", ["", "<!subteam^S0ONCALL1>"])
def test_slack_takes_it_and_only_the_owner_is_mentioned(
    text: str, mention: str
) -> None:
    payload: Any = as_slack(
        hostile(text),
        mention=mention,
        actions=tuple(Action),
        incident_id="c" * 70,
        note=text,
    )
    assert refusal(payload) is None
    assert len(payload["text"]) <= 4_000
    assert mentions_in(payload) == ({mention} if mention else set())
    assert payload["blocks"][-1]["type"] == "actions"
    said = reply(text or "cats", mention=mention)
    assert refusal(said) is None
    assert mentions_in(said) == ({mention} if mention else set())


@pytest.mark.parametrize(
    "kind", [NoticeKind.OPENED, NoticeKind.RESOLVED, NoticeKind.PROMISED]
)
def test_five_hundred_datasets_are_one_message_of_each_kind(kind: NoticeKind) -> None:
    text = EXTREMES["mentions"]
    message = hostile(text)
    notices = [
        a_batch(
            message,
            kind=kind.value,
            dataset=f"{n:03}" + "d" * 45,
            incident_id=f"{n:03}-1",
            notice_id=f"n{n}",
            audience=Recipient.ENGINEERS,
            line=text,
        ).first
        for n in range(500)
    ]
    for batch in batches_of(notices)[:3]:
        payload: Any = as_slack(batch.message)
        assert refusal(payload) is None
        assert mentions_in(payload) == set()


def test_the_notification_is_complete_by_itself() -> None:
    message = Message(
        headline="cats 3 h late: the pipe is paused",
        blocks=(
            block("Since", ["2026-11-23 08:00 UTC"]),
            block("Next step", ["resume the pipe"]),
            block(None, ["incident cats-1"], aside=True),
        ),
    )
    assert as_slack(message)["text"] == (
        "cats 3 h late: the pipe is paused\nSince: 2026-11-23 08:00 UTC\n"
        "Next step: resume the pipe"
    )


def as_stamp(moment: datetime, _words: str) -> str:
    return moment.isoformat()


def test_a_time_is_shown_in_the_readers_zone_too() -> None:
    for zone in ("UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia"):
        said = local_time(NOW, zone)
        assert with_times(f"at {said}!", as_stamp) == f"at {NOW.isoformat()}!"
    shown: Any = as_slack(
        Message(headline="x", blocks=(block("Since", [local_time(NOW, "UTC")]),))
    )
    stamp = int(NOW.timestamp())
    reader = f"<!date^{stamp}^{{date_short_pretty}} {{time}}|09:00 UTC> for you"
    assert f"2026-11-23 09:00 UTC ({reader})" in shown["blocks"][1]["text"]["text"]
    assert with_times("2026-13-45 99:99 UTC", lambda *_: "?") == "2026-13-45 99:99 UTC"


def test_every_action_has_a_button() -> None:
    assert set(BUTTONS) == set(Action)


def test_a_mention_is_in_slacks_own_syntax() -> None:
    said = mentioned("@duty, U0123456 S0123456 @here", {"duty": "S9"})
    assert said == "<!subteam^S9> <@U0123456> <!subteam^S0123456> <!here>"
