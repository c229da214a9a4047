"""What people are told of loads: repairs, once each, and what stands in their way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.causes.rule import Audience, Stage
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.incident import NoticeKind, Recipient, in_plain_words
from lambdas.core.incidents.message import Message, block
from lambdas.core.incidents.models import DYNAMIC_TABLE_STOPPED
from lambdas.core.incidents.notice import Notice
from lambdas.core.loading.repair import (
    RELATION_NOT_MADE,
    Problem,
    Repair,
    Repaired,
)
from lambdas.core.names import LOADING
from lambdas.core.text.count import counted

NOT_NOTIFIED = "not_notified"
_ORDER = (
    NOT_NOTIFIED,
    "pipe_stopped",
    "load_failed",
    "load_partial",
    "load_unseen",
    DYNAMIC_TABLE_STOPPED,
)
_STEPS = 3
"""Next steps that are spelled out; whoever has done those hears of the others."""


def loading_verdict(problems: Sequence[Problem]) -> Verdict:
    """One verdict on all that keeps landed rows from being loaded.

    Each needs a person, so it pages, but for a dynamic table alone: the rows are there,
    and its own promise says whom to wake. Nothing of it says that a dataset is late.
    """
    ranked = sorted(problems, key=lambda one: (_ORDER.index(one.code), one.name))
    codes = tuple(dict.fromkeys(one.code for one in ranked))
    steps = tuple(dict.fromkeys(one.next_step for one in ranked))
    more = len(steps) - _STEPS
    first = ranked[0] if ranked else None
    said = "everything that landed is loaded" if first is None else _said(first)
    if len(ranked) > 1:
        said += f"; and {len(ranked) - 1} more like it"
    return Verdict(
        dataset=LOADING,
        state=State.PASS,
        cause=None if first is None else first.code,
        stage=None if first is None else Stage.LOAD,
        page=any(one.code != DYNAMIC_TABLE_STOPPED for one in ranked),
        tell=frozenset() if first is None else frozenset({Audience.ENGINEERS}),
        headline=f"loading: {said}",
        evidence=tuple(f"{one.name}: {one.sentence}" for one in ranked),
        next_step=" · ".join(steps[:_STEPS])
        + (f" · and {more} more" if more > 0 else "")
        or "nothing to do",
        also=codes[1:],
    )


def problem_verdict(problem: Problem, *, late_at: datetime | None) -> Verdict:
    """At risk: a dataset on time, some of whose rows are not loaded or not shown."""
    name = problem.dataset or LOADING
    is_loaded = problem.code == RELATION_NOT_MADE
    why = in_plain_words(problem.code).partition(";")[0].rstrip(".")
    return Verdict(
        dataset=name,
        state=State.PASS,
        cause=problem.code,
        stage=Stage.TABLE if is_loaded else Stage.LOAD,
        tell=frozenset({Audience.ENGINEERS}),
        headline=f"{name} at risk: {why[:1].lower()}{why[1:]}",
        evidence=(problem.sentence,),
        next_step=problem.next_step,
        at_risk=True,
        late_at=None if is_loaded else late_at,
    )


def _said(problem: Problem) -> str:
    return (
        f"{problem.dataset}: {problem.sentence}"
        if problem.dataset
        else (problem.sentence)
    )


def repair_notices(
    repaired: Repaired, *, channels: Sequence[str], now: datetime
) -> tuple[Notice, ...]:
    """One notice a channel, for engineers; none wakes anybody."""
    message = (
        _refused_message(repaired) if repaired.refused else _loaded_message(repaired)
    )
    return tuple(
        Notice(
            notice_id=f"repair.{repaired.repair_id}.{channel}",
            incident_id=f"repair-{repaired.repair_id}",
            dataset=repaired.dataset,
            kind=NoticeKind.REPAIRED,
            audience=Recipient.ENGINEERS,
            channel=channel,
            page=False,
            cause=_cause(repaired),
            created_at=now,
            message=message,
        )
        for channel in channels
    )


def _cause(repaired: Repaired) -> str:
    return NOT_NOTIFIED if repaired.repair is Repair.REFRESHED else "load_failed"


def _refused_message(repaired: Repaired) -> Message:
    name, refused = repaired.dataset, repaired.refused_rows
    loaded = repaired.rows - refused
    return Message(
        headline=f"{name}: Snowflake refused {refused:,} of {repaired.rows:,} rows; "
        f"they are in quarantine; the other {loaded:,} are loaded",
        blocks=(
            block(
                "Reasons",
                [f"{one.rows:,} × {one.reason}" for one in repaired.refused],
                listed=True,
            ),
            block("Files", list(repaired.files), listed=True),
            block(
                "Next step",
                [_what_to_do(name)],
            ),
            block("Runbook", ["docs/runbooks/load_failed.md"]),
            block(None, [f"run {repaired.run_id}"], aside=True),
        ),
    )


def _loaded_message(repaired: Repaired) -> Message:
    name, files = repaired.dataset, len(repaired.files)
    how = (
        "the pipe was not notified of; they were loaded by REFRESH"
        if repaired.repair is Repair.REFRESHED
        else "failed to load at first; they were landed again and are loaded now"
    )
    return Message(
        headline=f"{name}: {counted(files, 'file')} that {how}",
        blocks=(
            block("Files", list(repaired.files), listed=True),
            block(
                "Next step",
                ["nothing; if it happens again, see the runbook"],
            ),
            block("Runbook", [f"docs/runbooks/{_cause(repaired)}.md"]),
            block(None, [f"run {repaired.run_id}"], aside=True),
        ),
    )


def _what_to_do(name: str) -> str:
    return (
        f"look at them with `catflap quarantine {name}`; after a fix on our side "
        f"`catflap replay {name} --quarantined` lands them as they are, and `catflap "
        f"replay {name} --fixed FILE.ndjson` lands corrected ones"
    )
