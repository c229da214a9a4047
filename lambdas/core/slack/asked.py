"""What a person asked for: from a signed request of Slack's to a queue's message."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec

from lambdas.core.errors import BadInput
from lambdas.core.incidents.human import Action
from lambdas.core.slack.post import GROUP

REPORT = "report"
MAX_WORDS = 2_000
_ID_OF_A_QUEUE = re.compile(r"[!-~]{1,128}")
_IN_A_MODAL = frozenset({Action.PROMISE, Action.SNOOZE, Action.CAUSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRequest:
    """One thing that one person asked for. `key` is of this click alone: delivered
    again, it is done once. `target` is an incident, of a report the dataset, or a
    message about many (`lambdas.core.slack.post.group_of`).
    """

    key: str
    action: str
    target: str
    team: str
    user: str
    name: str
    channel: str | None = None
    when: datetime | None = None
    words: str | None = None
    cause: str | None = None
    fix_url: str | None = None

    @property
    def by(self) -> str:
        """The person, for people."""
        return f"{self.name} ({self.user})" if self.name else self.user


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalRequest:
    """A click that opens a modal; `action` is what its answer asks for. Of a report
    there is no incident yet, and `words` are the message that it was asked for at.
    """

    trigger_id: str
    action: str
    incident_id: str = ""
    channel: str
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlashHelp:
    """A command that names nothing we know; `command` is what was typed."""

    command: str


class FieldFault(Exception):
    """What a modal's field holds cannot be; `block_id` is the field."""

    def __init__(self, block_id: str, sentence: str) -> None:
        super().__init__(sentence)
        self.block_id = block_id


Asked = PersonRequest | ModalRequest | SlashHelp | None
"""None: nothing is asked of us, such as by a button that is only a link."""


def asked(body: bytes, *, now: datetime) -> Asked:
    """What a verified body asks for. Raises BadInput if it is none that Slack sends,
    FieldFault if a modal is not filled as it must be.
    """
    try:
        form = {key: all_[0] for key, all_ in parse_qs(body.decode()).items()}
    except ValueError:
        raise BadInput("the body is no form") from None
    if "ssl_check" in form:
        return None
    if "command" in form:
        return _slash(form)
    try:
        payload = msgspec.json.decode(form.get("payload", ""))
        return _interaction(payload, now)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise BadInput("the payload is none that Slack sends") from None


def _interaction(payload: dict[str, Any], now: datetime) -> Asked:
    _refuse_strangers(payload)
    match payload["type"]:
        case "block_actions":
            return _click(payload)
        case "view_submission":
            return _submitted(payload, now)
        case "message_action":
            return _shortcut(payload)
        case _:
            return None


def _refuse_strangers(payload: dict[str, Any]) -> None:
    """A shared channel shows our messages to another company's people."""
    team = (payload.get("team") or {}).get("id")
    user = payload["user"]
    if not isinstance(team, str) or user.get("team_id", team) != team:
        raise BadInput("only members of the app's own workspace can do that")


def _person(payload: dict[str, Any]) -> dict[str, Any]:
    user = payload["user"]
    return {
        "team": _text(payload["team"]["id"]),
        "user": _text(user["id"]),
        "name": str(user.get("name") or user.get("username") or "")[:80],
    }


def _click(payload: dict[str, Any]) -> Asked:
    click = payload["actions"][0]
    if click.get("block_id") != "catflap" or click["action_id"] not in list(Action):
        return None
    action, incident_id = Action(click["action_id"]), _text(click["value"])
    if incident_id.startswith(GROUP):
        incident_id += f" {_text(payload['container']['message_ts'])}"
    channel = _text(payload["channel"]["id"])
    if action in _IN_A_MODAL:
        return ModalRequest(
            trigger_id=_text(payload["trigger_id"]),
            action=action,
            incident_id=incident_id,
            channel=channel,
        )
    person = _person(payload)
    return PersonRequest(
        key=f"{person['user']}:{action}:{_text(click['action_ts'])}",
        action=action.value,
        target=incident_id,
        channel=channel,
        **person,
    )


def _shortcut(payload: dict[str, Any]) -> Asked:
    """A message's shortcut; the message may be anybody's."""
    if payload["callback_id"] != REPORT:
        return None
    return ModalRequest(
        trigger_id=_text(payload["trigger_id"]),
        action=REPORT,
        channel=_text(payload["channel"]["id"]),
        words=str(payload["message"].get("text") or "")[:MAX_WORDS],
    )


def _submitted(payload: dict[str, Any], now: datetime) -> PersonRequest:
    view = payload["view"]
    about = msgspec.json.decode(view["private_metadata"])
    values = view["state"]["values"]
    if view["callback_id"] == REPORT:
        return PersonRequest(
            key=f"view:{_text(view['id'])}",
            action=REPORT,
            target=_needed(values, "dataset", "Name a dataset, such as flights."),
            channel=_text(about["channel"]),
            words=_needed(values, "words", "Say what looks wrong."),
            **_person(payload),
        )
    action = Action(_text(view["callback_id"]))
    when = None
    if action in {Action.PROMISE, Action.SNOOZE}:
        when = _moment(values["when"]["when"].get("selected_date_time"), now)
    chosen = (values.get("cause") or {}).get("cause") or {}
    return PersonRequest(
        key=f"view:{_text(view['id'])}",
        action=action.value,
        target=_text(about["incident"]),
        channel=_text(about["channel"]),
        when=when,
        words=_typed(values, "words"),
        cause=(chosen.get("selected_option") or {}).get("value"),
        fix_url=_link(_typed(values, "fix")),
        **_person(payload),
    )


def _slash(form: Mapping[str, str]) -> PersonRequest | SlashHelp:
    """`/catflap report NAME what looks wrong`."""
    word, _, rest = form.get("text", "").strip().partition(" ")
    dataset, _, words = rest.strip().partition(" ")
    known = ("team_id", "user_id", "trigger_id")
    if any(not form.get(name) for name in known):
        raise BadInput("the command is none that Slack sends")
    if word != REPORT or not dataset or not words.strip():
        return SlashHelp(command=form["command"][:32])
    return PersonRequest(
        key=f"slash:{form['trigger_id']}",
        action=REPORT,
        target=dataset,
        team=form["team_id"],
        user=form["user_id"],
        name="",
        channel=form.get("channel_id"),
        words=words.strip()[:MAX_WORDS],
    )


def queue_id(text: str) -> str:
    """`text` as SQS takes groups and deduplication ids: 128 characters of ASCII that
    are seen. Of another text, a hash: two texts never share an id.
    """
    known = _ID_OF_A_QUEUE.fullmatch(text)
    return text if known else hashlib.sha256(text.encode()).hexdigest()


def _moment(chosen: object, now: datetime) -> datetime:
    if not isinstance(chosen, int):
        raise FieldFault("when", "Choose a time.")
    try:
        moment = datetime.fromtimestamp(chosen, UTC)
    except (OverflowError, ValueError, OSError):
        raise FieldFault("when", "Choose a time within this century.") from None
    if moment <= now:
        raise FieldFault("when", "That time is over; choose one to come.")
    return moment


def _typed(values: Mapping[str, Any], field: str) -> str | None:
    text = ((values.get(field) or {}).get(field) or {}).get("value")
    return str(text).strip()[:MAX_WORDS] or None if text else None


def _needed(values: Mapping[str, Any], field: str, sentence: str) -> str:
    text = _typed(values, field)
    if text is None:
        raise FieldFault(field, sentence)
    return text


def _link(text: str | None) -> str | None:
    if text is not None and not text.startswith(("https://", "http://")):
        raise FieldFault("fix", "Give a web address, such as https://…")
    return text


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_WORDS:
        raise ValueError
    return value
