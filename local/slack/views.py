"""What Slack refuses of a modal ("Reference: views", "Reference: block elements")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TITLE = 24
BLOCKS = 100
METADATA = 3_000
ID = 255
LABEL = 2_000
OPTIONS = 100
OPTION = 75


def view_fault(view: object) -> str | None:
    """The first fault of a modal, as a sentence; None if Slack opens it."""
    if not isinstance(view, dict) or view.get("type") != "modal":
        return "view is not a modal"
    return next(_faults(view), None)


def _faults(view: Mapping[str, Any]) -> Iterator[str]:
    yield from _texts(view)
    blocks = view.get("blocks") or []
    if not 0 < len(blocks) <= BLOCKS:
        yield f"{len(blocks)} blocks, 1 to 100 are taken"
    if len(str(view.get("private_metadata", ""))) > METADATA:
        yield "private_metadata is too long"
    if len(str(view.get("callback_id", ""))) > ID:
        yield "callback_id is too long"
    yield from _inputs(view, blocks)


def _texts(view: Mapping[str, Any]) -> Iterator[str]:
    for key in ("title", "submit", "close"):
        if key in view:
            yield from _plain(view[key], key, TITLE)
    if "title" not in view:
        yield "a modal needs a title"


def _inputs(view: Mapping[str, Any], blocks: list[Mapping[str, Any]]) -> Iterator[str]:
    inputs = [one for one in blocks if one.get("type") == "input"]
    if inputs and "submit" not in view:
        yield "a modal with inputs needs a submit"
    ids = [one.get("block_id") for one in blocks if one.get("block_id")]
    if len(ids) != len(set(ids)):
        yield "a block_id stands twice"
    for one in inputs:
        yield from _plain(one.get("label"), "label", LABEL)
        element = one.get("element") or {}
        options = element.get("options")
        if options is not None:
            yield from _options(options)


def _options(options: list[Mapping[str, Any]]) -> Iterator[str]:
    if not 0 < len(options) <= OPTIONS:
        yield f"{len(options)} options, 1 to 100 are taken"
    for option in options:
        yield from _plain(option.get("text"), "option", OPTION)
        if len(str(option.get("value", ""))) > OPTION * 2:
            yield "an option's value is too long"


def _plain(value: object, what: str, most: int) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("type") != "plain_text":
        yield f"{what} is not plain_text"
    elif not 0 < len(str(value.get("text", ""))) <= most:
        yield f"{what} has {len(str(value.get('text', '')))} characters, 1 to {most}"
