"""A message to people, before any channel has shaped it, and the shapes.

A `Message` is a headline and blocks of lines. `as_mail` makes the subject and body
that SNS sends, `as_slack` the blocks of Slack's Block Kit. Both cut what does not fit
and say how much was left out: a message that a service refuses for its length is a
message that nobody reads.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

SNS_SUBJECT = 99
"""Characters: ASCII, one line, "less than 100" (SNS, `Publish`)."""
SNS_BODY_BYTES = 200_000
"""SNS takes 256 KB, attributes included."""
SLACK_BLOCKS = 50
SLACK_HEADER = 150
SLACK_SECTION = 3_000
SLACK_CONTEXT_ELEMENT = 2_000
"""Slack: "Reference: blocks". The context's limit is ours; Slack states none."""
LINE = 1_500
"""Characters of one line: what a foreign error says is seldom better for more."""
LINES = 12
"""Lines of one block; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines under a label. `listed` lines get a bullet each; `aside` is small print."""

    label: str | None = None
    lines: tuple[str, ...]
    listed: bool = False
    aside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be said, in the order in which it is read."""

    headline: str
    blocks: tuple[Block, ...] = ()


def block(
    label: str | None,
    lines: Sequence[str],
    *,
    listed: bool = False,
    aside: bool = False,
) -> Block:
    """At most `LINES` lines of at most `LINE` characters, saying what is left out."""
    kept = [cut(line, LINE) for line in lines[:LINES]]
    if len(lines) > LINES:
        kept.append(f"… and {len(lines) - LINES} more")
    return Block(label=label, lines=tuple(kept), listed=listed, aside=aside)


def cut(text: str, limit: int) -> str:
    """`text`, or its beginning and how many characters are left out, in `limit`."""
    if len(text) <= limit:
        return text
    # The note's length depends on the figure in it, which the longest case bounds.
    room = max(0, limit - len(f" … ({len(text)} more characters)"))
    return f"{text[:room]} … ({len(text) - room} more characters)"[:limit]


def local_time(moment: datetime, timezone: str) -> str:
    """`2013-01-07 07:00 EST (12:00 UTC)`: in the reader's zone, and in ours."""
    here = moment.astimezone(ZoneInfo(timezone))
    there = moment.astimezone(UTC)
    if here.replace(tzinfo=None) == there.replace(tzinfo=None):
        return f"{there:%Y-%m-%d %H:%M} UTC"
    utc = f"{there:%H:%M}" if here.date() == there.date() else f"{there:%Y-%m-%d %H:%M}"
    return f"{here:%Y-%m-%d %H:%M %Z} ({utc} UTC)"


def as_mail(message: Message) -> tuple[str, str]:
    """The subject and the body for SNS."""
    parts = [message.headline]
    for item in message.blocks:
        if not any(item.lines):
            continue
        label = f"{item.label}:" if item.label else ""
        if item.listed or len(item.lines) > 1:
            bullet = "- " if item.listed else "  "
            head = [label] if label else []
            parts.append("\n".join([*head, *(f"{bullet}{x}" for x in item.lines)]))
        else:
            parts.append(" ".join(filter(None, [label, *item.lines])))
    return _subject(message.headline), _cut_bytes("\n\n".join(parts), SNS_BODY_BYTES)


def _subject(headline: str) -> str:
    plain = unicodedata.normalize("NFKD", headline.replace("…", "...")).encode(
        "ascii", "ignore"
    )
    visible = "".join(c if c.isprintable() else " " for c in plain.decode("ascii"))
    line = " ".join(visible.split()) or "catflap: a message"
    return line if len(line) <= SNS_SUBJECT else f"{line[: SNS_SUBJECT - 3]}..."


def _cut_bytes(text: str, limit: int) -> str:
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode("utf-8")
    kept = data[: limit - 60].decode("utf-8", "ignore")
    return f"{kept}\n… ({len(data) - limit + 60} more bytes are left out)"


def as_slack(message: Message) -> dict[str, object]:
    """A Block Kit message: `text` for notifications, `blocks` for the channel."""
    blocks: list[dict[str, object]] = [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": cut(message.headline, SLACK_HEADER) or "catflap",
                "emoji": False,
            },
        }
    ]
    if len(message.headline) > SLACK_HEADER:
        blocks.append(_section(message.headline))
    blocks.extend(_slack_block(item) for item in message.blocks if any(item.lines))
    if len(blocks) > SLACK_BLOCKS:
        left_out = len(blocks) - SLACK_BLOCKS + 1
        note = Block(lines=(f"… {left_out} more blocks are left out",), aside=True)
        blocks = [*blocks[: SLACK_BLOCKS - 1], _slack_block(note)]
    return {"text": _escaped(message.headline, SLACK_SECTION), "blocks": blocks}


def _slack_block(item: Block) -> dict[str, object]:
    bullet = "• " if item.listed else ""
    body = "\n".join(f"{bullet}{line}" for line in item.lines)
    if item.aside:
        text = f"{item.label}: {body}" if item.label else body
        element = _markdown(_escaped(text, SLACK_CONTEXT_ELEMENT))
        return {"type": "context", "elements": [element]}
    return _section(body, label=item.label)


def _section(body: str, *, label: str | None = None) -> dict[str, object]:
    head = f"*{_escaped(label, SLACK_HEADER)}*\n" if label else ""
    return {
        "type": "section",
        "text": _markdown(head + _escaped(body, SLACK_SECTION - len(head))),
    }


def _markdown(text: str) -> dict[str, object]:
    # verbatim: no text of ours or of an API turns into a link, a channel or a mention
    return {"type": "mrkdwn", "text": text, "verbatim": True}


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
