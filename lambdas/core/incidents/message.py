"""A message to people, before any channel has shaped it, and the shapes.

A `Message` is a headline and blocks of lines. `as_mail` makes the subject and body
that SNS sends, `lambdas.core.slack.blocks` what Slack shows. Both cut what does not fit
and say how much was left out: a message that a service refuses for its length is a
message that nobody reads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

SNS_SUBJECT = 99
"""Characters: ASCII, one line, "less than 100" (SNS, `Publish`)."""
SNS_BODY_BYTES = 100_000
"""SNS takes 256 KB, attributes included."""
LINE = 1_500
"""Characters of one line: what a foreign error says is seldom better for more."""
LINES = 12
"""Lines of one block; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines under a label. `listed` lines get a bullet each; `aside` is small print;
    lines of `links` that are https addresses may be clicked on: they are ours.
    """

    label: str | None = None
    lines: tuple[str, ...]
    listed: bool = False
    aside: bool = False
    links: bool = False


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
    links: bool = False,
) -> Block:
    """At most `LINES` lines of at most `LINE` characters, saying what is left out."""
    kept = [cut(line, LINE) for line in lines[:LINES]]
    if len(lines) > LINES:
        kept.append(f"… and {len(lines) - LINES} more")
    return Block(
        label=label, lines=tuple(kept), listed=listed, aside=aside, links=links
    )


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


_LOCAL_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d\d:\d\d) "
    r"(?:UTC|[A-Z0-9+-]{2,6} \((?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d) UTC\))"
)


def with_times(text: str, shown: Callable[[datetime, str], str]) -> str:
    """`text` with each time that `local_time` wrote as `shown` has it, which is given
    the moment and the words.
    """

    def again(found: re.Match[str]) -> str:
        day, time, utc_day, utc_time = found.groups()
        written = f"{utc_day or day} {utc_time or time}"
        try:
            moment = datetime.fromisoformat(written).replace(tzinfo=UTC)
        except ValueError:
            return found[0]
        return shown(moment, found[0])

    return _LOCAL_TIME.sub(again, text)


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
