"""What engineers and stakeholders read: one incident, two languages.

An engineer is told what is late, since when, which promise it broke, where it stopped
and the evidence, what to do, who owns it, and when it is next expected. A stakeholder
is told the same without our words. Neither is ever told an invented time.
"""

from __future__ import annotations

from datetime import datetime

from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.context import IncidentContext
from lambdas.core.incidents.incident import (
    PASSING,
    REPORT,
    Ending,
    Incident,
    NoticeKind,
    Recipient,
    in_plain_words,
)
from lambdas.core.incidents.message import Block, Message, block, local_time
from lambdas.core.incidents.models import WORDS as OF_MODELS
from lambdas.core.incidents.quality import HELD_BACK
from lambdas.core.loading.repair import WORDS as OF_LOADS
from lambdas.core.names import API, LOADING, MONITOR
from lambdas.core.text.duration import lasting

RUNBOOKS = "docs/runbooks"
"""One page a cause, in the project's repository."""
NOT_KNOWN = "not known yet"
_NAMED = 30
"""Datasets named with the one that they are made from; the rest is counted."""


_NOTES = {
    NoticeKind.REMINDER: " (still open)",
    NoticeKind.CHANGED: " (update)",
    NoticeKind.REOPENED: " (again)",
    NoticeKind.OVERDUE: " (a promised time has passed)",
    NoticeKind.BLIND: " (it was late)",
}
"""What a headline ends with: it begins with the dataset, how late it is and why, which
are all that the subject of a mail has room for."""


def engineers_message(
    kind: NoticeKind,
    incident: Incident,
    verdict: Verdict,
    subject: IncidentContext,
    *,
    page: bool,
) -> Message:
    """The message for whoever is to do something, or was told to."""
    if kind is NoticeKind.RESOLVED:
        return _ended(incident, subject, footer=_footer(incident, subject))
    if incident.kind == "quality":
        return _checks_for_engineers(kind, incident, verdict, subject, page=page)
    if incident.kind == REPORT:
        return _reported(incident, subject)
    # A blind check changes nothing about the incident; what to say is in the verdict.
    blind = kind is NoticeKind.BLIND
    cause = str(verdict.cause) if blind else incident.cause or "unknown"
    stage = ("monitor" if blind else incident.stage) or "not known"
    note = _NOTES.get(kind, "")
    said = verdict.headline
    if kind is NoticeKind.FLAPPING:
        said = _flapping(incident, said.partition(": ")[2] or said)
    return Message(
        headline=f"{'[page] ' if page else ''}{said}{note}",
        blocks=(
            block("Since", [_since(incident, subject)]),
            block("Promise", [subject.promise]),
            block("Where it stopped", [f"{stage}: {cause}"]),
            block("Evidence", list(verdict.evidence), listed=True),
            *(
                [block("Also", [_also(code) for code in verdict.also], listed=True)]
                if verdict.also
                else []
            ),
            block("Next step", [verdict.next_step]),
            _expectation(incident, subject),
            *_dependents(incident),
            *_usually(subject, with_cause=True),
            *_human(incident, subject),
            block("Owner", [_owner(subject)]),
            block("Runbook", [_runbook(cause)], links=True),
            _footer(incident, subject),
        ),
    )


def _runbook(cause: str) -> str:
    if cause in OF_LOADS:
        return "docs/operations.md"
    return "docs/models.md" if cause in OF_MODELS else f"{RUNBOOKS}/{cause}.md"


def _checks_for_engineers(
    kind: NoticeKind,
    incident: Incident,
    verdict: Verdict,
    subject: IncidentContext,
    *,
    page: bool,
) -> Message:
    """Each check that fails, and the run that brought it."""
    note = _NOTES.get(kind, "")
    return Message(
        headline=f"{'[page] ' if page else ''}{verdict.headline}{note}",
        blocks=(
            block("Since", [_since(incident, subject)]),
            block("Failing checks", list(verdict.evidence), listed=True),
            block("Next step", [verdict.next_step]),
            *_human(incident, subject),
            block("Owner", [_owner(subject)]),
            block("Runbook", ["docs/quality.md"], links=True),
            _footer(incident, subject),
        ),
    )


def _without_runs(incident: Incident) -> list[str]:
    """The checks, without what only engineers need."""
    return [
        one.partition(", since run ")[0]
        for one in incident.evidence
        if not one.startswith(HELD_BACK)
    ]


_WHAT = {"unknown": "unreadable", "pass": "at risk"}


def _reported(incident: Incident, subject: IncidentContext) -> Message:
    """What a person saw, and how things stood then: nothing was judged."""
    return Message(
        headline=incident.headline,
        blocks=(
            block("How things stood", list(incident.evidence), listed=True),
            block("Promise", [subject.promise]),
            block("Next step", [incident.next_step]),
            *_human(incident, subject),
            block("Owner", [_owner(subject)]),
            _footer(incident, subject),
        ),
    )


def _flapping(incident: Incident, why: str) -> str:
    """That it comes and goes, as one sentence. `why` it is so now."""
    times = incident.times_late(incident.changed_at)
    spent = sum(one.seconds for one in incident.spent)
    lasted = lasting(max(60, spent / max(1, times - 1)))
    what = _WHAT.get(incident.state, "late")
    if incident.cause in PASSING:
        why = "the promise is tighter than its loads"
    return (
        f"{incident.dataset} {what} {times} times within a day, usually for {lasted}: "
        f"{why}"
    )


def _also(code: str) -> str:
    """What else was found: it may be what the page is for."""
    return f"{code}: {in_plain_words(code)} {RUNBOOKS}/{code}.md"


def one_line(audience: Recipient, incident: Incident, subject: IncidentContext) -> str:
    """Where many stand in one message: since when, when it is expected, whose it is."""
    if subject.dataset.startswith(API):
        return f"{_owner(subject)}: {incident.headline}"
    is_known = incident.expected_at is not None
    expected = f"expected {_expected(incident, subject)}" if is_known else ""
    if incident.resolved_at is not None:
        return subject.dataset
    if incident.kind == "quality":
        if audience is Recipient.ENGINEERS:
            return f"{incident.headline}; {_owner(subject)}"
        checks = _without_runs(incident)
        more = f"; {len(checks) - 1} more" if len(checks) > 1 else ""
        return f"{subject.dataset}: {''.join(checks[:1])}{more}; {subject.team}"
    newest = incident.newest_at
    since = "no dated row" if newest is None else f"newest {_at(newest, subject)}"
    risk = incident.late_at if incident.kind == "at_risk" else None
    late = f"late at {_at(risk, subject)}" if risk is not None else ""
    owner = _owner(subject) if audience is Recipient.ENGINEERS else subject.team
    parts = filter(None, [since, late, expected or "not known when", owner])
    return f"{subject.dataset}: {', '.join(parts)}"


def stakeholders_message(
    kind: NoticeKind, incident: Incident, subject: IncidentContext
) -> Message:
    """The message for those who use the data."""
    # Nobody is said to own what is no longer declared.
    owner = [f"Owner: {subject.team}"] if subject.team else []
    said = " · ".join(filter(None, [*owner, subject.stakeholders_at]))
    footer = block(None, [said] if said else [], aside=True)
    name = subject.dataset
    if incident.kind == REPORT and kind is not NoticeKind.RESOLVED:
        return Message(
            headline=incident.headline,
            blocks=(
                block("What it is", [subject.description]),
                block(None, ["The owners are told, and will answer here."]),
                footer,
            ),
        )
    if kind is NoticeKind.RESOLVED:
        # nothing was late: we had misjudged it, and they know no names of causes
        well = f"How new {name} is, is judged rightly again"
        return _ended(incident, subject, footer=footer, never_late=well)
    if incident.kind == "quality":
        is_held = any(one.startswith(HELD_BACK) for one in incident.evidence)
        return Message(
            headline=f"{name} shows what came before; newer rows are being checked"
            if is_held
            else f"Some rows of {name} are not as they should be",
            blocks=(
                block("What it is", [subject.description]),
                block("Since", [_since(incident, subject)]),
                block("Checks that fail", _without_runs(incident), listed=True),
                footer,
            ),
        )
    if incident.state == "pass":
        return Message(
            headline=f"We misjudged how new {name} is",
            blocks=(
                block(None, [in_plain_words(incident.cause)]),
                block("What it is", [subject.description]),
                footer,
            ),
        )
    headline = {
        NoticeKind.CHANGED: f"{name} is still late",
        NoticeKind.REMINDER: f"{name} is still late",
        NoticeKind.DAILY: f"{name} is still late",
        NoticeKind.REOPENED: f"{name} is late again",
        NoticeKind.FLAPPING: f"{name} is late again, "
        f"{incident.times_late(incident.changed_at)} times within a day",
        NoticeKind.OVERDUE: f"{name} did not come when expected",
        NoticeKind.PROMISED: f"{name} is late and expected by "
        f"{_expected(incident, subject)}",
    }.get(kind, f"{name} is late")
    return Message(
        headline=headline,
        blocks=(
            block("What it is", [subject.description]),
            block("Since", [_since(incident, subject)]),
            block("Why", [in_plain_words(incident.cause)]),
            _expectation(incident, subject),
            *_promise_words(incident),
            *_dependents(incident),
            *_usually(subject, with_cause=False),
            footer,
        ),
    )


_SPOKEN = {MONITOR: "monitoring", LOADING: "loading"}
"""How a message calls what stands under a name that no dataset can have."""


def _ended(
    incident: Incident, subject: IncidentContext, *, footer: Block, never_late: str = ""
) -> Message:
    """`never_late` is the headline where nothing was late or unseen."""
    began = local_time(incident.opened_at, subject.timezone)
    newest = (
        [block("Newest data", [local_time(incident.newest_at, subject.timezone)])]
        if incident.newest_at is not None
        else []
    )
    lasted = incident.late_since or incident.opened_at
    ended = incident.resolved_at or incident.changed_at
    took = lasting((ended - lasted).total_seconds())
    return Message(
        headline=_end(incident, subject, never_late),
        blocks=(
            block(None, [f"Reported {began}; it took {took}."]),
            *(
                []
                if incident.kind == REPORT and incident.main_cause is None
                else [block("It was", [in_plain_words(incident.main_cause)])]
            ),
            *newest,
            footer,
        ),
    )


def _end(incident: Incident, subject: IncidentContext, never_late: str) -> str:
    """What ended it: only of what recovered is said that the data are well."""
    name = _SPOKEN.get(subject.dataset, subject.dataset)
    if name.startswith(API):
        name = subject.description
    by = incident.human.resolved_by
    said = {
        Ending.CLOSED: f"{name}: the incident was closed by {by}",
        Ending.FALSE_ALARM: f"{name}: it was a false alarm, says {by}",
        Ending.NOT_PROMISED: f"{name} is no longer promised"
        if incident.late_since is None
        else f"{name} is no longer late: its promise was loosened",
        Ending.REMOVED: f"{name} was removed; the incident is closed",
    }
    if incident.ended_by in said:
        return said[incident.ended_by]
    if incident.kind == "quality":
        return f"{name}: its checks pass again"
    if incident.late_since is not None:
        return f"{name} is up to date again"
    if incident.state == "unknown":
        return f"{name} can be read again, and it is up to date"
    if incident.kind == "at_risk":
        return f"{name} is no longer at risk"
    was = incident.headline.partition(": ")[2] or incident.headline
    return never_late or f"{name} is well again; it was: {was}"


def _dependents(incident: Incident) -> list[Block]:
    """What is made from it and therefore late, the worst first."""
    names = incident.dependents
    if not names:
        return []
    more = len(names) - _NAMED
    shown = ", ".join(names[:_NAMED]) + (f" … and {more} more" if more > 0 else "")
    return [block("Late with it", [shown])]


def _usually(subject: IncidentContext, *, with_cause: bool) -> list[Block]:
    """How it was late before: whoever reads it can tell the usual from the new."""
    usual = subject.usual
    if usual is None:
        return []
    times = "once" if usual.times == 1 else f"{usual.times} times"
    word = "" if usual.times == 1 else "usually "
    said = f"late {times} in the last {usual.days} days, {word}for "
    said += lasting(usual.seconds)
    if with_cause and usual.cause is not None:
        said += f", {word or 'by '}`{usual.cause}`"
    return [block("Before", [said])]


def _since(incident: Incident, subject: IncidentContext) -> str:
    reported = _at(incident.late_since or incident.opened_at, subject)
    if subject.dataset in {MONITOR, LOADING} or incident.late_since is None:
        return f"seen {reported}"
    if incident.newest_at is None:
        return f"there is no dated row at all; seen {reported}"
    return f"newest data {_at(incident.newest_at, subject)}; seen late {reported}"


def _at(moment: datetime, subject: IncidentContext) -> str:
    return local_time(moment, subject.timezone)


def _expectation(incident: Incident, subject: IncidentContext) -> Block:
    """When data come, when we ask again, or when what is at risk would be late."""
    if incident.state == "pass" and incident.late_at is not None:
        return block("Late if nothing comes", [_at(incident.late_at, subject)])
    said = _expected(incident, subject)
    if incident.expected_at is None and incident.next_look is not None:
        said += f"; we ask the source again at {_at(incident.next_look, subject)}"
    return block("Next expected", [said])


def _expected(incident: Incident, subject: IncidentContext) -> str:
    expected = incident.expected_at
    if expected is None:
        return NOT_KNOWN
    if expected <= incident.changed_at:
        return f"{NOT_KNOWN}; it was expected by {_at(expected, subject)}"
    return _at(expected, subject)


def _human(incident: Incident, subject: IncidentContext) -> list[Block]:
    human = incident.human
    lines = []
    if human.acknowledged_at is not None:
        who = human.acknowledged_by or "somebody"
        lines.append(f"acknowledged by {who} at {_at(human.acknowledged_at, subject)}")
    if human.promised_for is not None:
        by = f" by {human.promised_by}" if human.promised_by else ""
        lines.append(f"promised{by} for {_at(human.promised_for, subject)}")
    if human.snoozed_until is not None:
        lines.append(f"snoozed until {_at(human.snoozed_until, subject)}")
    lines += [text for text in (human.note, human.fix_url) if text]
    return [block("From people", lines)] if lines else []


def _promise_words(incident: Incident) -> list[Block]:
    """What whoever promised a time wrote for stakeholders."""
    words = incident.human.promise_words
    return [block("From the team", [words])] if words else []


def _owner(subject: IncidentContext) -> str:
    return " ".join(filter(None, [subject.team, subject.engineers_at]))


def _footer(incident: Incident, subject: IncidentContext) -> Block:
    text = f"incident {incident.incident_id} · {subject.description}"
    return block(None, [text], aside=True)
