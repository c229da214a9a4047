"""Every kind of message at every extreme: Slack takes it, and it mentions nobody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from lambdas.core.incidents.human import Action
from lambdas.core.incidents.message import Block, Message, block, local_time, with_times
from lambdas.core.slack.blocks import BUTTONS, as_slack, reply
from lambdas.core.slack.mentions import mentioned
from local.slack.limits import refusal
from tests.slack_messages import EXTREMES, mentions_in
from tests.watched import NOW


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


def test_the_runbook_can_be_clicked_on_and_nothing_else() -> None:
    page = "https://wiki.example.com/x?a=1&b=2"

    def shown(line: str) -> Any:
        message = Message(
            headline="cats", blocks=(block("Runbook", [line], links=True),)
        )
        payload: Any = as_slack(message)
        assert refusal(payload) is None
        return payload["blocks"][1]["text"]["text"]

    assert shown(page) == "*Runbook*\n<https://wiki.example.com/x?a=1&amp;b=2>"
    for text in (
        "docs/quality.md",
        f"{page}|<!channel>",
        f"{page}> <!here>",
        "<!here>",
    ):
        assert "<" not in shown(text)
    plain: Any = as_slack(Message(headline="cats", blocks=(block("Fix", [page]),)))
    assert "<" not in plain["blocks"][1]["text"]["text"]


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
    said = mentioned("@duty, U0123456 S0123456 @here", {"duty": "S9"}, ())
    assert said == "<!subteam^S9> <@U0123456> <!subteam^S0123456> <!here>"
