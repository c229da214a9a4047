"""Where did the data go? From the signals of a dataset to one verdict.

Data that is late stopped in one of three places: there is nothing new upstream; there
is, and it does not reach our table; or it is in our table and the alerting does not
see it. `diagnose` decides which. It is pure, and it claims only what a signal shows:
what is not known is neither fine nor broken.

Where the decision had a choice
- A word of `situation` that is negated ("not caught up", "the pipe is not stopped",
  "no files wait") is true unless the word is shown; a single signal that is negated
  ("did not succeed", "failed otherwise") has to be known.
- `upstream.empty` counts whatever the probe's result; `newest_event_at` only if `ok`.
- "Past grace" is decided by the newest object's age, or by `landing.unloaded` where
  that age or the grace is not known.
- A row ahead of now + skew is as good as none: with a known row count the table is
  late. Without a known skew, nothing ahead of now is believed.
- Without a known clock the table cannot be judged, unless it has neither time.
- Faults of ours while the table has all that upstream has are named beside the cause
  and page nobody, whether files wait or not.
- A republish is quiet, too: `upstream_quiet` then stands beside the cause.
- A rule of group C pages only as the cause, and is named after those of group B.
- Notes join every state, unknown included.
- Times are written with their offset (`+00:00`), as `datetime.isoformat` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from lambdas.core.diagnosis.assessment import Assessment, State, situation
from lambdas.core.diagnosis.causes import (
    ALWAYS,
    MONITOR,
    NOTES,
    OURS,
    OURS_UNCONFIRMED,
    REST,
    RULES,
    SOURCE,
)
from lambdas.core.diagnosis.causes.phrases import table
from lambdas.core.diagnosis.causes.rule import Audience, Broken, Rule, Stage
from lambdas.core.diagnosis.signals import Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be said about a dataset at one moment."""

    dataset: str
    state: State
    cause: str | None
    stage: Stage | None
    page: bool
    tell: frozenset[Audience]
    headline: str
    evidence: tuple[str, ...]
    next_step: str
    also: tuple[str, ...]
    eta: datetime | None
    lead: str | None
    """What to act on: the cause, or, where only another code pages, that one. The
    headline and the next step are about it."""
    lead_stage: Stage | None

    def to_json(self) -> dict[str, JsonValue]:
        """As JSON values, keys in their fixed order, times with their offset."""
        return {
            "dataset": self.dataset,
            "state": self.state.value,
            "cause": self.cause,
            "stage": None if self.stage is None else self.stage.value,
            "page": self.page,
            "tell": [*sorted(audience.value for audience in self.tell)],
            "headline": self.headline,
            "evidence": [*self.evidence],
            "next_step": self.next_step,
            "also": [*self.also],
            "eta": None if self.eta is None else self.eta.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The rules that hold: the cause first in `explaining`, if there is one.

    `bystanders` are faults of ours that do not explain the lateness.
    """

    explaining: tuple[Rule, ...] = ()
    bystanders: tuple[Rule, ...] = ()
    paging: tuple[Rule, ...] = ()
    """Those whose word on paging counts even where they are not the cause."""


def diagnose(signals: Signals) -> Verdict:
    """The verdict on one dataset. Pure; never raises on valid signals."""
    seen = situation(signals)
    found = _late(seen) if seen.state.late else _Found()
    monitor = _holding(MONITOR, seen)
    notes = _holding(NOTES, seen)
    ranked = found.explaining[:1] + tuple(
        sorted(found.explaining[1:] + found.bystanders, key=_RANK.__getitem__)
    )
    said = ranked + monitor + notes
    cause = (ranked + monitor)[0] if ranked or monitor else None
    also = said if cause is None else said[1:]

    eta = None if cause is None else cause.eta(seen)
    paging = (() if cause is None else (cause,)) + found.paging + monitor
    page = any(rule.pages.on(seen.state) for rule in paging)
    lead = _lead(seen, cause, found.paging)
    return Verdict(
        dataset=signals.dataset,
        state=seen.state,
        cause=None if cause is None else cause.code,
        stage=None if cause is None else cause.stage,
        page=page,
        tell=_tell(seen, cause, page=page),
        headline=_headline(seen, lead),
        evidence=_evidence(seen, said),
        next_step="nothing has to be done" if lead is None else lead.next_step(seen),
        also=tuple(rule.code for rule in also),
        eta=eta if eta is not None and eta > seen.now else None,
        lead=None if lead is None else lead.code,
        lead_stage=None if lead is None else lead.stage,
    )


def _lead(
    seen: Assessment, cause: Rule | None, paging: tuple[Rule, ...]
) -> Rule | None:
    """What to act on: the first that pages of what explains the lateness."""
    if cause is None or cause.pages.on(seen.state):
        return cause
    return next((rule for rule in paging if rule.pages.on(seen.state)), cause)


_RANK = {rule: rank for rank, rule in enumerate(RULES)}


def _late(seen: Assessment) -> _Found:
    always = _holding(ALWAYS, seen)
    ours = () if seen.caught_up else _holding(OURS, seen)
    unconfirmed = () if ours else _holding(OURS_UNCONFIRMED, seen)
    explaining = always + ours + unconfirmed + _holding(SOURCE, seen)
    return _Found(
        explaining=explaining or _holding(REST, seen)[:1],
        bystanders=tuple(rule for rule in OURS if _stands_by(rule, seen)),
        paging=always + ours,
    )


def _holding(rules: tuple[Rule, ...], seen: Assessment) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if _holds(rule, seen))


def _holds(rule: Rule, seen: Assessment) -> bool:
    if not (rule.given.holds(seen) and rule.fault(seen)):
        return False
    unless = rule.unless
    return unless is None or not any(
        unless(other) and _holds(other, seen) for other in OURS
    )


def _stands_by(rule: Rule, seen: Assessment) -> bool:
    """A fault of ours which does not explain that the dataset is late."""
    match rule.broken:
        case Broken.UNNAMED:
            return False
        case Broken.WHEN_CAUGHT_UP:
            return seen.caught_up and rule.fault(seen)
        case Broken.WHEN_IDLE_TOO:
            return (seen.caught_up or not seen.files_wait) and rule.fault(seen)


def _tell(seen: Assessment, cause: Rule | None, *, page: bool) -> frozenset[Audience]:
    told = frozenset() if cause is None else cause.tell
    if page:
        told |= {Audience.ENGINEERS}
    if seen.state.late:
        told |= {Audience.STAKEHOLDERS}
    return told


def _headline(seen: Assessment, cause: Rule | None) -> str:
    dataset = seen.signals.dataset
    match seen.state:
        case State.UNKNOWN:
            said = f"{dataset} could not be judged"
        case State.PASS if cause is None:
            return f"{dataset} keeps its promise: {table(seen)}"
        case State.PASS:
            said = f"{dataset} keeps its promise"
        case State.WARN | State.ERROR:
            said = f"{dataset} is late ({table(seen)})"
    return said if cause is None else f"{said}: {cause.headline(seen)}"


def _evidence(seen: Assessment, said: tuple[Rule, ...]) -> tuple[str, ...]:
    """The table first, then what each thing said rests on, once each."""
    sources = [table, *(source for rule in said for source in rule.evidence)]
    sentences = [source(seen) for source in sources]
    return tuple(dict.fromkeys(sentence for sentence in sentences if sentence))
