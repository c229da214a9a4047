"""Every kind of message that Slack is sent, with ordinary words and with hostile ones.

`.venv/bin/python -m tests.slack_messages` writes tests/cases/slack anew: what each of
them holds, long texts by their ends and their length.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lambdas.core.dataset import Dataset
from lambdas.core.incidents.context import IncidentContext, context_of, monitor_context
from lambdas.core.incidents.groups import NoticeBatch, batches_of
from lambdas.core.incidents.human import Action, said_by
from lambdas.core.incidents.incident import (
    CauseTime,
    Ending,
    HumanSide,
    Incident,
    NoticeKind,
    NoticeRequest,
    Recipient,
    Transition,
)
from lambdas.core.incidents.notice import Notice, notices
from lambdas.core.incidents.verdicts.repairs import repair_notices
from lambdas.core.loading.repair import Refused, Repair, Repaired
from lambdas.core.quality.result import CheckedLoad
from lambdas.core.reports.causes import CausesFacts, causes_notices
from lambdas.core.reports.digest import Morning, digest_notices
from lambdas.core.silences.silence import Silence
from lambdas.core.slack.asked import MAX_WORDS, REPORT, ModalRequest
from lambdas.core.slack.blocks import as_slack, reply
from lambdas.core.slack.modals import modal, thanks
from tests.datasets import a_dataset
from tests.pages import a_watch

GOLDEN = Path(__file__).parent / "cases" / "slack"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORDINARY = "ordinary"
EXTREMES = {
    ORDINARY: "the pipe is paused",
    "the longest names": "d" * 48 + " " + "é" * 4_000,
    "100 KB of an error": "<html>" + "x & y < z > " * 8_600,
    "mentions": "<!channel> <!here> <@U0ANN> <!subteam^S1> @here #general",
    "quotes": '"it\'s" `code` ```block``` *bold* _it_ ~no~ > quoted',
    "emoji": "🔥" * 2_000 + " :fire:",
    "right to left": "\u202eتأخرت البيانات\u202c " * 200,
    "Markdown": "# a\n- b\n[c](https://example.com) | d |",
    "controls": "a\x00b\x1b[31mc\r\nd",
    "nothing": "",
}
_MANY = {EXTREMES[ORDINARY], EXTREMES["mentions"]}
MENTION = "<!subteam^S0ONCALL1>"
_MENTION = re.compile(r"<[!@#][^>]*>")
_SLACK = {Recipient.ENGINEERS: ("slack",), Recipient.STAKEHOLDERS: ("slack",)}
_PEOPLE = (Recipient.ENGINEERS, Recipient.STAKEHOLDERS)
_OF_INCIDENTS = [
    kind
    for kind in NoticeKind
    if kind not in {NoticeKind.REPAIRED, NoticeKind.DIGEST, NoticeKind.CAUSES}
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a method of Slack's is sent, and whom it may mention."""

    name: str
    payload: Mapping[str, Any]
    mentions: frozenset[str] = frozenset()


def messages(kind: NoticeKind, extreme: str) -> Iterator[Sent]:
    """Those of a kind: to each audience, alone, in a thread, of 500 datasets."""
    for batch in batches_of([*_notices(kind, EXTREMES[extreme])]):
        yield from _sent(batch, EXTREMES[extreme])


def modals() -> Iterator[Sent]:
    """The view that each button opens which asks for more."""
    for action in (Action.PROMISE, Action.SNOOZE, Action.CAUSE):
        asked = ModalRequest(
            trigger_id="1.1", action=action, incident_id="c" * 70, channel="C" * 20
        )
        yield Sent(name=action.value, payload=modal(asked, now=NOW))
    for name, words in EXTREMES.items():
        asked = ModalRequest(
            trigger_id="1.1", action=REPORT, channel="C" * 20, words=words[:MAX_WORDS]
        )
        yield Sent(name=f"{REPORT}, {name}", payload=modal(asked, now=NOW))
    yield Sent(name="thanks", payload=thanks("The owners of flights are told."))


def _sent(batch: NoticeBatch, text: str) -> Iterator[Sent]:
    first = batch.first
    many = "" if len(batch.notices) == 1 else f", {len(batch.notices)} datasets"
    mention = MENTION if batch.page else ""
    name = f"{first.audience.value}: {first.incident_id[:40]}{many}"
    mentions = frozenset({mention} if mention else ())
    said = as_slack(
        batch.message,
        mention=mention,
        actions=() if many else first.actions,
        incident_id=first.incident_id,
        note=f"for {first.audience.value} in #cats: {text}" if batch.page else "",
    )
    yield Sent(name=name, payload=said, mentions=mentions)
    if first.news and not many:
        said = reply(first.news, mention=mention)
        yield Sent(name=f"{name}, in its thread", payload=said, mentions=mentions)


def _notices(kind: NoticeKind, text: str) -> Iterator[Notice]:
    match kind:
        case NoticeKind.REPAIRED:
            yield from _repaired(text)
        case NoticeKind.DIGEST:
            yield from digest_notices(_morning(text), routes=_SLACK, now=NOW)
        case NoticeKind.CAUSES:
            yield from causes_notices(_month(text), routes=_SLACK, now=NOW)
        case _:
            yield from _of_incidents(kind, text)


def _of_incidents(kind: NoticeKind, text: str) -> Iterator[Notice]:
    owner = a_subject(text)
    known = an_incident("cats", text, kind)
    others = (
        an_incident(
            "cats",
            text,
            kind,
            kind="at_risk",
            state="pass",
            cause="pull_failed",
            late_since=None,
        ),
        an_incident("cats", text, kind, kind="quality", cause="checks_failed"),
        an_incident("cats", text, kind, kind="report", cause=None, state="unknown"),
    )
    # What else an incident can be is shaped by the same lines.
    for incident in (known, *(others if text in _MANY else ())):
        yield from _told(kind, _named(incident), owner, text)
    if text in _MANY:
        monitor = an_incident("_monitor", text, kind, kind="blind", state="unknown")
        yield from _told(kind, monitor, monitor_context(), text)
    if kind in {NoticeKind.PROMISED, NoticeKind.EDITED, NoticeKind.REPORTED}:
        return  # each stands alone, however many there are
    # So many are the same message whatever else it says.
    for number in range(500 if text in _MANY else 20):
        name = f"{number:03}" + "d" * 45
        one = an_incident(name, text, kind, cause="upstream_down")
        subject = dataclasses.replace(owner, dataset=name)
        yield from _told(kind, one, subject, text)


def _named(incident: Incident) -> Incident:
    return dataclasses.replace(incident, incident_id=f"{incident.kind}-1")


def _told(
    kind: NoticeKind, incident: Incident, subject: IncidentContext, text: str
) -> Iterator[Notice]:
    pages = incident.kind == "late" and kind is NoticeKind.OPENED
    transition = Transition(
        incident=incident,
        announcements=tuple(
            NoticeRequest(
                kind=kind,
                audience=who,
                page=pages and who is Recipient.ENGINEERS,
                news=f"ann (U0ANN): {text}" if kind is NoticeKind.EDITED else text,
            )
            for who in _PEOPLE
        ),
    )
    yield from notices(
        transition, said_by(incident), subject=subject, routes=_SLACK, now=NOW
    )


def a_subject(text: str) -> IncidentContext:
    """A dataset with what its owner may have written."""
    dataset = a_dataset(
        description=text or "x",
        owner={
            "team": "data-eng",
            "slack": "#cats",
            "stakeholders": "#people",
            "mention": "@duty",
        },
    )
    return context_of(dataset)


def an_incident(name: str, text: str, told: NoticeKind, **changes: object) -> Incident:
    """One with every field that people or APIs can fill."""
    is_over = told is NoticeKind.RESOLVED
    fields: dict[str, Any] = {
        "incident_id": f"{name}-20261123T070000Z",
        "dataset": name,
        "version": 3,
        "opened_at": NOW - 2 * HOUR,
        "changed_at": NOW,
        "state": "error",
        "cause": "pipe_stopped",
        "stage": "load",
        "page": True,
        "headline": f"{name} 2 h late: {text}",
        "evidence": (text,) * (40 if text != EXTREMES[ORDINARY] else 2),
        "next_step": f"`catflap replay {name} --env prod` resumes it: {text}",
        "also": ("pull_failed",),
        "eta": NOW + HOUR,
        "newest_at": NOW - 5 * HOUR,
        "late_since": NOW - 2 * HOUR,
        "late_at": NOW + HOUR,
        "spent": (CauseTime(code="pipe_stopped", seconds=7_200),),
        "dependents": tuple(f"model_{number}" for number in range(40)),
        "human": HumanSide(
            acknowledged_at=NOW - HOUR,
            acknowledged_by=f"Ann {text}"[:80],
            promised_for=NOW + 3 * HOUR,
            promised_by=f"Ann {text}"[:80],
            promise_words=text,
            note=text,
            fix_url="https://example.com/fix?a=1&b=2",
            resolved_by=f"Ann {text}"[:80] if is_over else None,
        ),
        "resolved_at": NOW if is_over else None,
        "ended_by": Ending.CLOSED if is_over else None,
        "reopened_at": (NOW - HOUR, NOW) if told is NoticeKind.FLAPPING else (),
    }
    return Incident(**{**fields, **changes})


def _repaired(text: str) -> Iterator[Notice]:
    refused = Refused(reason=text or "x", rows=3)
    for repair in Repair:
        found = Repaired(
            dataset="cats",
            run_id="20261123T070000Z-1",
            repair=repair,
            at=NOW,
            files=("raw/cats/g1/x.ndjson.gz",) * 9,
            rows=1_000,
            refused=(refused,) * 30 if repair is not Repair.REFRESHED else (),
        )
        yield from repair_notices(found, channels=("slack",), now=NOW)


def _datasets(count: int = 500) -> list[Dataset]:
    owner = {"team": "data-eng", "slack": "#cats", "stakeholders": "#people"}
    return [
        a_dataset(name=f"{n:03}d".rjust(48, "d"), owner=owner) for n in range(count)
    ]


def _morning(text: str) -> Morning:
    datasets = _datasets(500 if text == EXTREMES["mentions"] else 3)
    incidents = [
        an_incident(one.name, text, NoticeKind.OPENED)
        if number % 3
        else an_incident(
            one.name, text, NoticeKind.RESOLVED, resolved_at=NOW - HOUR, opened_at=NOW
        )
        for number, one in enumerate(datasets)
    ]
    name = datasets[0].name
    load = CheckedLoad(
        dataset=name,
        checked_at=NOW,
        run_id=None,
        loaded_at=None,
        rules="",
        failing=(text or "rows",) * 30,
        held=("r1",),
    )
    silence = Silence(
        silence_id="1",
        by=f"Ann {text}"[:80],
        why=text or "x",
        starts_at=NOW - HOUR,
        until=NOW + HOUR,
        ends_at=NOW + HOUR,
        team="data-eng",
        dataset=datasets[-1].name,
    )
    return Morning(
        team="data-eng",
        timezone="America/New_York",
        due_at=NOW,
        datasets=datasets,
        watches={one.name: a_watch(one.name) for one in datasets},
        incidents=incidents,
        loads={name: load},
        silences=(silence,),
    )


def _month(text: str) -> CausesFacts:
    morning = _morning(text)
    fixed = HumanSide(fix_url=f"https://example.com/{text}"[:400])
    return CausesFacts(
        team="data-eng",
        timezone="America/New_York",
        since=NOW - 30 * 24 * HOUR,
        until=NOW,
        datasets=morning.datasets,
        incidents=[
            dataclasses.replace(one, human=fixed) if number == 1 else one
            for number, one in enumerate(morning.incidents)
        ],
        watches=morning.watches,
    )


def parsed(value: Any) -> Iterator[str]:
    """The texts in which Slack looks for mentions: not those of `plain_text`."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            assert value["verbatim"] is True
            yield value["text"]
        for inner in value.values():
            yield from parsed(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parsed(inner)


def mentions_in(payload: Mapping[str, Any]) -> set[str]:
    """Whom it mentions; a time is no mention."""
    texts = [payload["text"], *parsed(payload["blocks"])]
    found = {one for text in texts for one in _MENTION.findall(text)}
    return {one for one in found if not one.startswith("<!date^")}


def outline(sent: Sent, *, whole: bool) -> Iterator[str]:
    """A line for each text of it, in the order in which it is read."""
    yield f"== {sent.name}"
    if "text" in sent.payload:
        yield f"text: {_shown(str(sent.payload['text']), whole=whole)}"
    for block in sent.payload.get("blocks", ()):
        yield f"{block['type']}: {'; '.join(_texts(block, whole=whole))}"


def _texts(value: Any, *, whole: bool) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _texts(one, whole=whole)
    elif isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield _shown(value["text"], whole=whole)
        yield from _texts(
            [x for x in value.values() if isinstance(x, (dict, list))], whole=whole
        )


def _shown(text: str, *, whole: bool) -> str:
    shown = json.dumps(text)
    if whole or len(shown) <= 70:
        return shown
    return f"{shown[:40]} … {shown[-20:]} [{len(text)}]"


def golden(kind: NoticeKind) -> str:
    """What the golden file of a kind holds: the ordinary ones whole, and of others what
    is not the same there. Many datasets in one message stand there twice.
    """
    ordinary = [x for one in messages(kind, ORDINARY) for x in outline(one, whole=True)]
    known = {x for x in ordinary if not x.startswith("== ")}
    lines = [f"# {ORDINARY}", *ordinary]
    for extreme in EXTREMES:
        if extreme != ORDINARY:
            found = (
                x
                for one in messages(kind, extreme)
                if "datasets" not in one.name or extreme == "mentions"
                for x in outline(one, whole=False)
            )
            lines += ["", f"# {extreme}", *(x for x in found if x not in known)]
    return "\n".join(lines) + "\n"


def golden_modals() -> str:
    """The same of the modals."""
    return "\n".join(x for one in modals() for x in outline(one, whole=True)) + "\n"


def main() -> None:
    """Write the files."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for kind in NoticeKind:
        (GOLDEN / f"{kind.value}.txt").write_text(golden(kind), encoding="utf-8")
    (GOLDEN / "modals.txt").write_text(golden_modals(), encoding="utf-8")


if __name__ == "__main__":
    main()
