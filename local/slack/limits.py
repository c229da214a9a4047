"""What Slack refuses of a message, and in which words.

Each row of `LIMITS` is a limit that Slack documents, beside the message that breaks
it in the tests. The answers are those of incoming webhooks: plain text, not JSON
(Slack: "Sending messages using incoming webhooks", handling errors).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

MAX_BODY_BYTES = 1 << 20
TEXT_CUT = 40_000
"""Slack cuts the text there, and says nothing ("chat.postMessage", truncating)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: what it is of, how much, and the page that says so."""

    what: str
    most: int
    source: str


_BLOCKS = "Slack: Reference, Block Kit, "
LIMITS = (
    Limit(what="blocks of a message", most=50, source=f"{_BLOCKS}blocks"),
    Limit(what="block_id", most=255, source=f"{_BLOCKS}blocks"),
    Limit(what="header.text", most=150, source=f"{_BLOCKS}header block"),
    Limit(what="section.text", most=3_000, source=f"{_BLOCKS}section block"),
    Limit(what="section.fields", most=10, source=f"{_BLOCKS}section block"),
    Limit(what="section.fields.text", most=2_000, source=f"{_BLOCKS}section block"),
    Limit(what="context.elements", most=10, source=f"{_BLOCKS}context block"),
    Limit(what="context.text", most=3_000, source=f"{_BLOCKS}text object"),
    Limit(what="actions.elements", most=25, source=f"{_BLOCKS}actions block"),
    Limit(what="button.text", most=75, source=f"{_BLOCKS}button element"),
    Limit(what="button.value", most=2_000, source=f"{_BLOCKS}button element"),
    Limit(what="button.url", most=3_000, source=f"{_BLOCKS}button element"),
    Limit(what="action_id", most=255, source=f"{_BLOCKS}button element"),
    Limit(what="image.alt_text", most=2_000, source=f"{_BLOCKS}image block"),
    Limit(what="image.image_url", most=3_000, source=f"{_BLOCKS}image block"),
    Limit(what="markdown.text", most=12_000, source=f"{_BLOCKS}markdown block"),
    Limit(what="attachments", most=100, source="Slack: attachments"),
)
MOST = {limit.what: limit.most for limit in LIMITS}

_KNOWN = frozenset({"actions", "context", "divider", "header", "image", "markdown",
                    "rich_text", "section", "table", "video"})  # fmt: skip


def refusal(message: object) -> str | None:
    """The word with which Slack refuses a message; None if it takes it."""
    if not isinstance(message, dict) or not isinstance(message.get("text", ""), str):
        return "invalid_payload"
    blocks, text = message.get("blocks"), message.get("text")
    if len(message.get("attachments") or ()) > MOST["attachments"]:
        return "too_many_attachments"
    if not (text or blocks or message.get("attachments")):
        return "no_text"
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        return "invalid_blocks_format"
    return "invalid_blocks" if next(faults(blocks), None) else None


def faults(blocks: Sequence[object]) -> Iterator[str]:
    """What Slack has against blocks, as sentences."""
    if len(blocks) > MOST["blocks of a message"]:
        yield f"{len(blocks)} blocks, 50 at most"
    ids = Counter(
        one["block_id"] for one in blocks if isinstance(one, dict) and "block_id" in one
    )
    yield from (f"block_id {name!r} stands twice" for name, n in ids.items() if n > 1)
    written = sum(
        len(str(one.get("text", "")))
        for one in blocks
        if isinstance(one, dict) and one.get("type") == "markdown"
    )
    if written > MOST["markdown.text"]:
        yield f"markdown of {written} characters in all, 12,000 at most"
    for number, one in enumerate(blocks):
        if not isinstance(one, dict) or one.get("type") not in _KNOWN:
            yield f"block {number} is of no type that messages have"
            continue
        yield from (f"block {number}: {fault}" for fault in _block(one))


def _block(block: Json) -> Iterator[str]:
    if "block_id" in block:
        yield from _text(block["block_id"], "block_id")
    match block["type"]:
        case "header":
            yield from _text_object(block.get("text"), "header.text", plain=True)
        case "section":
            yield from _section(block)
        case "context":
            yield from _context(block)
        case "actions":
            yield from _actions(block)
        case "image":
            yield from _text(block.get("alt_text"), "image.alt_text")
            if "slack_file" not in block:
                yield from _url(block.get("image_url"), "image.image_url")
        case _:
            return


def _section(block: Json) -> Iterator[str]:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        yield "a section needs a text or fields"
    if block.get("text") is not None:
        yield from _text_object(block["text"], "section.text")
    if fields is not None:
        if len(fields) > MOST["section.fields"]:
            yield f"{len(fields)} fields, 10 at most"
        for one in fields:
            yield from _text_object(one, "section.fields.text")
    accessory = block.get("accessory")
    if accessory is not None:
        yield from _element(accessory)


def _context(block: Json) -> Iterator[str]:
    elements = block.get("elements") or ()
    if not elements:
        yield "a context needs elements"
    if len(elements) > MOST["context.elements"]:
        yield f"{len(elements)} elements, 10 at most"
    for one in elements:
        if isinstance(one, dict) and one.get("type") == "image":
            yield from _text(one.get("alt_text"), "image.alt_text")
        else:
            yield from _text_object(one, "context.text")


def _actions(block: Json) -> Iterator[str]:
    elements = block.get("elements") or ()
    if not elements:
        yield "actions need elements"
    if len(elements) > MOST["actions.elements"]:
        yield f"{len(elements)} elements, 25 at most"
    ids = Counter(one.get("action_id") for one in elements if one.get("action_id"))
    yield from (f"action_id {name!r} stands twice" for name, n in ids.items() if n > 1)
    for one in elements:
        yield from _element(one)


def _element(element: Json) -> Iterator[str]:
    if "action_id" in element:
        yield from _text(element["action_id"], "action_id")
    if element.get("type") == "button":
        yield from _text_object(element.get("text"), "button.text", plain=True)
        if "value" in element:
            yield from _text(element["value"], "button.value")
        if "url" in element:
            yield from _url(element["url"], "button.url")


def _text_object(value: object, what: str, *, plain: bool = False) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{what} is not a text object"
        return
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if value.get("type") not in kinds:
        yield f"{what} is of type {value.get('type')!r}; accepted: {', '.join(kinds)}"
    if "emoji" in value and value.get("type") != "plain_text":
        yield f"{what}: emoji goes with plain_text only"
    yield from _text(value.get("text"), what)


def _text(value: object, what: str) -> Iterator[str]:
    if not isinstance(value, str) or not value:
        yield f"{what} is empty"
    elif len(value) > MOST[what]:
        yield f"{what} has {len(value)} characters, {MOST[what]:,} at most"


def _url(value: object, what: str) -> Iterator[str]:
    yield from _text(value, what)
    if isinstance(value, str) and not value.startswith(("https://", "http://")):
        yield f"{what} is not an http address"
