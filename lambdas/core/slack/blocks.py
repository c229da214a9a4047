"""A message as Slack's Block Kit has it: `text` for notifications, `blocks` to see.

No text of ours or of an API becomes a link, a channel or a mention: the three
characters that Slack reads are escaped, and nothing is parsed besides; but for the
runbook's address, which is the environment's own. Times are shown
in the reader's zone, too ("Formatting text for app surfaces", date formatting).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from lambdas.core.incidents.human import Action
from lambdas.core.incidents.message import Block, Message, cut, with_times
from lambdas.core.slack.post import GROUP

Json = dict[str, object]

BLOCKS = 50
HEADER = 150
SECTION = 3_000
CONTEXT_ELEMENT = 2_000
"""Slack: "Reference: blocks". The context's limit is ours; Slack states none."""
TEXT = 3_900
"""`chat.update` refuses more than 4,000; a mention stands before it."""

_ADDRESS = re.compile(r"https://[!-;=?-{}~]{1,500}")
"""Of a page of ours; `verbatim` leaves every other address plain text."""

SPOKEN = 400
"""Characters of one part of it, so that a long error leaves room for the next step."""

BUTTONS = {
    Action.ACKNOWLEDGE: "Acknowledge",
    Action.PROMISE: "Promise a time…",
    Action.SNOOZE: "Snooze…",
    Action.CAUSE: "Cause…",
    Action.PULL: "Pull now",
    Action.FALSE_ALARM: "False alarm",
    Action.RESOLVE: "Close",
}
"""In the order in which they stand."""
_OF_MANY = {
    Action.ACKNOWLEDGE: "Acknowledge all",
    Action.PROMISE: "Promise a time for all…",
    Action.SNOOZE: "Snooze all…",
    Action.CAUSE: "Cause of all…",
}
_CONFIRMED = {
    Action.FALSE_ALARM: "Everyone who was notified hears that it was a false alarm.",
    Action.RESOLVE: "Everyone who was notified hears of it. If the data are still "
    "late, the next check opens the incident again.",
}


def as_slack(
    message: Message,
    *,
    mention: str = "",
    actions: Sequence[str] = (),
    incident_id: str = "",
    note: str = "",
) -> Json:
    """`mention` is in Slack's own syntax; `note` is small print of the channel's."""
    blocks = [
        *([_markdown_section(mention)] if mention else []),
        _header(message.headline),
        *([_section(message.headline)] if len(message.headline) > HEADER else []),
        *(_block(item) for item in message.blocks if any(item.lines)),
        *([_block(Block(lines=(note,), aside=True))] if note else []),
    ]
    last = [_buttons(actions, incident_id)] if actions else []
    room = BLOCKS - len(last)
    if len(blocks) > room:
        left_out = len(blocks) - room + 1
        said = Block(lines=(f"… {left_out} more blocks are left out",), aside=True)
        blocks = [*blocks[: room - 1], _block(said)]
    text = _escaped(spoken(message), TEXT - len(mention) - 1)
    return {"text": f"{mention} {text}" if mention else text, "blocks": blocks + last}


def spoken(message: Message) -> str:
    """All that a screen reader or a notification says: no small print."""
    parts = [cut(message.headline, SPOKEN)]
    for item in message.blocks:
        if item.aside or not any(item.lines):
            continue
        label = f"{item.label}: " if item.label else ""
        said = label + "; ".join(filter(None, item.lines))
        parts.append(cut(said, SPOKEN))
    return "\n".join(parts)


def reply(news: str, *, mention: str = "") -> Json:
    """What is new, for a thread."""
    text = _escaped(news, SECTION - len(mention) - 1)
    shown = f"{mention} {text}" if mention else text
    return {"text": shown, "blocks": [_markdown_section(_dated(shown))]}


def _header(headline: str) -> Json:
    text = cut(headline, HEADER) or "catflap"
    return {
        "type": "header",
        "text": {"type": "plain_text", "text": text, "emoji": False},
    }


def _buttons(actions: Sequence[str], incident_id: str) -> Json:
    is_of_many = incident_id.startswith(GROUP)
    elements = [
        _button(action, _OF_MANY[action] if is_of_many else words, incident_id)
        for action, words in BUTTONS.items()
        if action in actions
    ]
    return {"type": "actions", "block_id": "catflap", "elements": elements}


def _button(action: Action, words: str, incident_id: str) -> Json:
    button: Json = {
        "type": "button",
        "action_id": action.value,
        "text": _plain(words),
        "value": incident_id,
    }
    if action is Action.ACKNOWLEDGE:
        button["style"] = "primary"
    if action in _CONFIRMED:
        button["confirm"] = {
            "title": _plain(f"{words}?"),
            "text": _plain(_CONFIRMED[action]),
            "confirm": _plain("Yes"),
            "deny": _plain("No"),
        }
    return button


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def _block(item: Block) -> Json:
    if item.links and all(_ADDRESS.fullmatch(line) for line in item.lines):
        links = "\n".join(f"<{_escaped(line, SECTION)}>" for line in item.lines)
        return _markdown_section(f"*{_escaped(item.label or '', HEADER)}*\n{links}")
    bullet = "• " if item.listed else ""
    body = "\n".join(f"{bullet}{line}" for line in item.lines)
    if item.aside:
        text = f"{item.label}: {body}" if item.label else body
        element = _markdown(_escaped(text, CONTEXT_ELEMENT))
        return {"type": "context", "elements": [element]}
    return _section(body, label=item.label)


def _section(body: str, *, label: str | None = None) -> Json:
    head = f"*{_escaped(label, HEADER)}*\n" if label else ""
    text = head + _escaped(body, SECTION - len(head))
    dated = _dated(text)
    return _markdown_section(dated if len(dated) <= SECTION else text)


def _markdown_section(text: str) -> Json:
    return {"type": "section", "text": _markdown(text)}


def _markdown(text: str) -> Json:
    # verbatim: no text of ours or of an API turns into a link, a channel or a mention
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _dated(text: str) -> str:
    """With each time in the reader's zone beside it."""
    return with_times(text, _in_readers_zone)


def _in_readers_zone(moment: datetime, words: str) -> str:
    stamp = int(moment.timestamp())
    shown = f"<!date^{stamp}^{{date_short_pretty}} {{time}}|{moment:%H:%M} UTC>"
    here = words.partition(" (")[0]
    return f"{here} ({shown} for you)"


def _escaped(text: str, limit: int) -> str:
    """`text` with the three characters that Slack reads escaped, `limit` at most.

    Cut before it is escaped, so that no entity is cut in two.
    """
    if len(text) <= limit and sum(map(len, _entities(text))) <= limit:
        return "".join(_entities(text))
    room = limit - len(f" … ({len(text)} more characters)")
    length = kept = 0
    for entity in _entities(text):
        if length + len(entity) > room:
            break
        length += len(entity)
        kept += 1
    shown = "".join(_entities(text[:kept]))
    return f"{shown} … ({len(text) - kept} more characters)"


def _entities(text: str) -> Iterator[str]:
    escapes = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    return (escapes.get(character, character) for character in text)
