"""The modals that a click opens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lambdas.core.diagnosis.causes import BY_CODE
from lambdas.core.incidents.human import Action
from lambdas.core.slack.asked import MAX_WORDS, REPORT, ModalRequest

Json = dict[str, Any]


def modal(asked: ModalRequest, *, now: datetime) -> Json:
    """The view for `views.open`."""
    title, submit, blocks = _MODALS[asked.action]
    about = {"incident": asked.incident_id, "channel": asked.channel}
    return {
        "type": "modal",
        "callback_id": str(asked.action),
        "private_metadata": json.dumps(about),
        "title": _plain(title),
        "submit": _plain(submit),
        "close": _plain("Cancel"),
        "blocks": blocks(asked, now),
    }


def thanks(sentence: str) -> Json:
    """The view that takes the place of one that was sent."""
    return {
        "type": "modal",
        "title": _plain("Thank you"),
        "close": _plain("Close"),
        "blocks": [{"type": "section", "text": _plain(sentence)}],
    }


def _promise(_asked: ModalRequest, now: datetime) -> list[Json]:
    return [
        _when("The data will be there by", now + timedelta(hours=2)),
        _words(
            "What stakeholders should know",
            "Without our words: why it is late, what it means for them",
        ),
    ]


def _snooze(_asked: ModalRequest, now: datetime) -> list[Json]:
    return [_when("No messages until", now + timedelta(hours=4))]


def _report(asked: ModalRequest, _now: datetime) -> list[Json]:
    dataset = {
        "type": "plain_text_input",
        "action_id": "dataset",
        "max_length": 48,
        "placeholder": _plain("flights"),
    }
    return [
        _input("dataset", "Dataset", dataset),
        _words(
            "What looks wrong",
            "Its owners and all who use it read this",
            initial=asked.words,
            is_optional=False,
        ),
    ]


def _cause(_asked: ModalRequest, _now: datetime) -> list[Json]:
    options = [
        {"text": _plain(_short(rule.plain)), "value": code}
        for code, rule in sorted(BY_CODE.items())
    ]
    choice = {"type": "static_select", "action_id": "cause", "options": options}
    return [
        _input("cause", "What it really was", choice, is_optional=True),
        _words("Note", "For whoever reads this next"),
        _input(
            "fix",
            "The change that keeps it from recurring",
            {"type": "url_text_input", "action_id": "fix"},
            is_optional=True,
        ),
    ]


_Blocks = Callable[[ModalRequest, datetime], Sequence[Json]]
_MODALS: Mapping[str, tuple[str, str, _Blocks]] = {
    Action.PROMISE: ("Promise a time", "Promise", _promise),
    Action.SNOOZE: ("Snooze", "Snooze", _snooze),
    Action.CAUSE: ("Cause", "Save", _cause),
    REPORT: ("Report a dataset", "Report", _report),
}


def _when(label: str, initial: datetime) -> Json:
    element = {
        "type": "datetimepicker",
        "action_id": "when",
        "initial_date_time": int(initial.timestamp()) // 900 * 900,
    }
    return _input("when", label, element)


def _words(
    label: str, hint: str, *, initial: str = "", is_optional: bool = True
) -> Json:
    element: Json = {
        "type": "plain_text_input",
        "action_id": "words",
        "multiline": True,
        "max_length": MAX_WORDS,
        "placeholder": _plain(hint),
    }
    if initial:
        element["initial_value"] = initial
    return _input("words", label, element, is_optional=is_optional)


def _input(
    block_id: str, label: str, element: Json, *, is_optional: bool = False
) -> Json:
    return {
        "type": "input",
        "block_id": block_id,
        "label": _plain(label),
        "element": element,
        "optional": is_optional,
    }


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def _short(text: str) -> str:
    return text if len(text) <= 75 else f"{text[:74]}…"  # noqa: PLR2004 - an option's text
