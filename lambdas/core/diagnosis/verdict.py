"""Where did the data go? From the signals of a dataset to one verdict.

Data that is late stopped in one of three places: there is nothing new upstream; there
is, and it does not reach our table; or it is in our table and the alerting does not
see it. `diagnose` decides which. It is pure, and it claims only what a signal shows:
what is not known is neither fine nor broken.

Where the decision had a choice
- How late a dataset is, is told from the moment at which its promise was broken; its
  age stands in the evidence.
- `run_stuck` and `not_checked`, of ours, stand last among the monitor's own codes.
- Times are written with their offset (`+00:00`), as `datetime.isoformat` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from lambdas.core.diagnosis.assessment import Assessment, State, assess
from lambdas.core.diagnosis.causes import (
    ALWAYS,
    MONITOR,
    NOTES,
    PASSING,
    REST,
    RULES,
    SOURCE,
    STUCK,
    UNCONFIRMED,
)
from lambdas.core.diagnosis.causes.phrases import lateness, table
from lambdas.core.diagnosis.causes.rule import Audience, Broken, Rule, Stage
from lambdas.core.diagnosis.signals import Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be said about a dataset at one moment.

    `eta` is when the data are next expected, `next_look` when the source is next asked.
    `at_risk`: not late yet, and known to be broken; `late_at` is when it would be late.
    """

    dataset: str
    state: State
    cause: str | None = None
    stage: Stage | None = None
    page: bool = False
    tell: frozenset[Audience] = frozenset()
    headline: str
    evidence: tuple[str, ...] = ()
    next_step: str = "nothing to do"
    also: tuple[str, ...] = ()
    eta: datetime | None = None
    next_look: datetime | None = None
    at_risk: bool = False
    late_at: datetime | None = None

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
            "eta": _iso(self.eta),
            "next_look": _iso(self.next_look),
            "at_risk": self.at_risk,
            "late_at": _iso(self.late_at),
        }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The rules that hold, in the order of the table: the cause first, if there is one.

    `bystanders` are faults of ours that do not explain the lateness; `paging` those
    whose word on paging counts even where they are not the cause.
    """

    explaining: tuple[Rule, ...] = ()
    bystanders: tuple[Rule, ...] = ()
    paging: tuple[Rule, ...] = ()


def diagnose(signals: Signals) -> Verdict:
    """The verdict on one dataset. Pure; never raises on valid signals."""
    seen = assess(signals)
    monitor = _holding(MONITOR, seen)
    found = _late(seen) if seen.state.late else _Found()
    risks = () if monitor or seen.state is not State.PASS else _risks(seen)
    ranked = (
        found.explaining[:1]
        + _in_order(found.explaining[1:] + found.bystanders)
        + risks
    )
    said = ranked + monitor + _holding(NOTES, seen)
    cause = next(iter(ranked + monitor), None)
    also = said if cause is None else said[1:]
    paging = () if risks else ranked[:1] + found.paging + monitor
    page = any(rule.wakes(seen) for rule in paging)
    evidence = _evidence(seen, said)
    return Verdict(
        dataset=signals.dataset,
        state=seen.state,
        cause=None if cause is None else cause.code,
        stage=None if cause is None else cause.stage,
        page=page,
        tell=_tell(seen, cause, page=page or bool(found.bystanders), risk=bool(risks)),
        headline=_headline(seen, cause, newest=evidence[0], risk=bool(risks)),
        evidence=evidence,
        next_step="nothing to do" if cause is None else cause.next_step(seen),
        also=tuple(rule.code for rule in also),
        eta=None if cause is None else _ahead(cause.eta(seen), seen),
        next_look=_next_look(seen, cause),
        at_risk=bool(risks),
        late_at=signals.policy.late_at if risks else None,
    )


_RANK: dict[str, int] = {}
for _place, _rule in enumerate(RULES):
    # a rule of part C stands where the one of its code in part B does
    _RANK.setdefault(_rule.code, _place)


def _in_order(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: _RANK[rule.code]))


def _late(seen: Assessment) -> _Found:
    always = _holding(ALWAYS, seen)
    stuck = () if seen.caught_up else _holding(STUCK, seen)
    is_passing = not (seen.caught_up or always or stuck)
    passing = _holding(PASSING, seen) if is_passing else ()
    unconfirmed = () if stuck or passing else _holding(UNCONFIRMED, seen)
    ours = always + stuck + unconfirmed
    explaining = _in_order(ours + passing + _holding(SOURCE, seen))
    return _Found(
        explaining=explaining or _holding(REST, seen)[:1],
        bystanders=tuple(rule for rule in STUCK if _stands_by(rule, seen)),
        paging=ours,
    )


def diagnose_first_pull(
    signals: Signals, *, late_at: datetime | None
) -> Verdict | None:
    """At risk: a table that waits for its first rows, and whose pull failed.

    None where the last pull did not fail, or nothing that was found says why.
    Nobody knows yet that such a pull ever works: one failure is news.
    """
    seen = assess(signals)
    if seen.run.status != "failed":
        return None
    found = _late(seen)
    causes = [
        rule
        for rule in _in_order(found.explaining + found.bystanders)
        if rule.stage is not None and Audience.ENGINEERS in rule.tell
    ]
    if not causes:
        return None
    cause = causes[0]
    return Verdict(
        dataset=signals.dataset,
        state=State.PASS,
        cause=cause.code,
        stage=cause.stage,
        tell=frozenset({Audience.ENGINEERS}),
        headline=f"{signals.dataset} at risk: {cause.headline(seen)}",
        evidence=_evidence(seen, (cause,)),
        next_step=cause.next_step(seen),
        also=tuple(dict.fromkeys(rule.code for rule in causes[1:])),
        at_risk=True,
        late_at=late_at,
    )


_OF_RISKS = frozenset({"pull", "landing", "load"})
"""Sections of signals without which no rule sees a risk."""


def _risks(seen: Assessment) -> tuple[Rule, ...]:
    """What will make it late, and does not yet."""
    if not _OF_RISKS & seen.signals.model_fields_set:
        return ()  # as of nearly every dataset, of which only the table was read
    rules = ALWAYS if seen.caught_up else ALWAYS + STUCK
    return tuple(rule for rule in rules if rule.is_risk(seen))


def _holding(rules: tuple[Rule, ...], seen: Assessment) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule.holds(seen))


def _stands_by(rule: Rule, seen: Assessment) -> bool:
    """A fault of ours which does not explain that the dataset is late."""
    match rule.broken:
        case Broken.UNNAMED:
            return False
        case Broken.WHEN_CAUGHT_UP:
            return seen.caught_up and rule.fault(seen)
        case Broken.WHEN_IDLE_TOO:
            return (seen.caught_up or not seen.files_wait) and rule.fault(seen)


def _ahead(moment: datetime | None, seen: Assessment) -> datetime | None:
    return moment if moment is not None and moment > seen.now else None


def _next_look(seen: Assessment, cause: Rule | None) -> datetime | None:
    pull = seen.signals.pull
    if cause is None or not cause.asks_again or pull.schedule_enabled is False:
        return None
    return _ahead(pull.next_due_at, seen)


def _tell(
    seen: Assessment, cause: Rule | None, *, page: bool, risk: bool
) -> frozenset[Audience]:
    if risk:
        return frozenset({Audience.ENGINEERS})
    tell = frozenset() if cause is None else cause.tell
    if page:
        tell |= {Audience.ENGINEERS}
    if seen.state.late:
        tell |= {Audience.STAKEHOLDERS}
    return tell


def _headline(seen: Assessment, cause: Rule | None, *, newest: str, risk: bool) -> str:
    """Dataset, how late, why; `newest` is the sentence about the table."""
    dataset = seen.signals.dataset
    why = "" if cause is None else f": {cause.headline(seen)}"
    match seen.state:
        case State.UNKNOWN:
            return f"{dataset} cannot be judged{why}"
        case State.PASS if cause is None:
            return f"{dataset} is on time: {newest}"
        case State.PASS:
            return f"{dataset} {'at risk' if risk else 'is on time'}{why}"
        case State.WARN | State.ERROR:
            timeless = seen.newest is None and seen.signals.table.row_count != 0
            note = " (no row with a usable time)" if timeless else ""
            return f"{dataset} {lateness(seen)}{why}{note}"


def _evidence(seen: Assessment, said: tuple[Rule, ...]) -> tuple[str, ...]:
    """The table first, then what each thing said rests on, once each."""
    sources = [table, *(source for rule in said for source in rule.evidence)]
    sentences = [source(seen) for source in sources]
    return tuple(dict.fromkeys(sentence for sentence in sentences if sentence))
