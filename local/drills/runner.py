"""One drill, from a healthy state through its fault and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.names import MONITOR
from local.drills.project import DATASETS
from local.drills.registry import Drill
from local.drills.stage import Seen, Stage, Told

FOUND_WITHIN = timedelta(hours=6)
MENDED_WITHIN = timedelta(hours=4)
WORKING = timedelta(minutes=3)
"""What a repair takes to work: Snowpipe loads what waited, before the next check."""
SETTLING = timedelta(minutes=70)
"""After a recovery, a pull and more: every drill begins in a state that has been
healthy for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a drill. `noticed` and `recovered` are simulated times from the
    fault to the first message that names it, and from the repair to the all-clear;
    None if there was none. No `faults` means that all was as it must be.
    """

    drill: Drill
    found: tuple[str, ...]
    also: tuple[str, ...]
    noticed: timedelta | None
    recovered: timedelta | None
    told: tuple[Told, ...]
    faults: tuple[str, ...]


def run(stage: Stage, drill: Drill) -> Outcome:
    """Break, wait until it is told, mend, wait until all is well."""
    drill.break_it(stage)
    began = stage.now
    limit = began + max(FOUND_WITHIN, drill.lasts)
    while stage.now < limit and not (
        stage.now - began >= drill.lasts and _is_told(stage, drill, began)
    ):
        stage.step(limit)
    mended = stage.now
    drill.mend_it(stage)
    stage.live(WORKING)
    limit = mended + MENDED_WITHIN
    well: datetime | None = None
    while stage.step(limit):
        if stage.has_checked_since(mended) and not stage.open_incidents():
            well = stage.now
            break
    outcome = _outcome(stage, drill, began=began, mended=mended, well=well)
    stage.live(SETTLING)
    limit = stage.now + MENDED_WITHIN
    while stage.open_incidents() and stage.step(limit):
        pass
    return outcome


def _is_told(stage: Stage, drill: Drill, began: datetime) -> bool:
    """Whether everybody who must know does, and knows the cause."""
    told = _about(stage, drill, began)
    heard = {one.mail.audience for one in told}
    is_paged = any(one.is_page for one in told)
    if drill.tell - heard or (drill.pages and not is_paged):
        return False
    if stage.heartbeat.is_alarming:
        return True  # nothing else can speak while checks stand still
    return any(
        drill.cause in _codes(one)
        for one in stage.seen
        if one.at > began and one.incident.dataset == drill.dataset
    )


def _about(stage: Stage, drill: Drill, since: datetime) -> list[Told]:
    return [one for one in stage.told if one.at > since and one.is_about(drill.dataset)]


def _codes(seen: Seen) -> set[str]:
    return {str(seen.incident.cause), *seen.incident.also}


def _outcome(
    stage: Stage,
    drill: Drill,
    *,
    began: datetime,
    mended: datetime,
    well: datetime | None,
) -> Outcome:
    seen = [one for one in stage.seen if one.at > began]
    own = [one for one in seen if one.incident.dataset == drill.dataset]
    told = [one for one in stage.told if one.at > began]
    named = next((one.at for one in own if drill.cause in _codes(one)), None)
    first = next(
        (
            one.at
            for one in told
            if one.is_about(drill.dataset) and (named is None or one.at <= mended)
        ),
        None,
    )
    noticed = (
        first if named is None or first is None else max(first, min(named, mended))
    )
    found = tuple(dict.fromkeys(code for one in own for code in one.incident.causes))
    also = tuple(dict.fromkeys(code for one in own for code in one.incident.also))
    return Outcome(
        drill=drill,
        found=found,
        also=tuple(code for code in also if code not in found),
        noticed=None if noticed is None else noticed - began,
        recovered=None if well is None else well - mended,
        told=tuple(told),
        faults=tuple(_faults(drill, own, seen, told, mended=mended, well=well)),
    )


def _faults(
    drill: Drill,
    own: list[Seen],
    seen: list[Seen],
    told: list[Told],
    *,
    mended: datetime,
    well: datetime | None,
) -> list[str]:
    about = [one for one in told if one.is_about(drill.dataset)]
    heard = {one.mail.audience for one in about}
    led = {code for one in own if one.at <= mended for code in one.incident.causes}
    found = led | {code for one in own for code in _codes(one)}
    faults = []
    if drill.cause not in found:
        faults.append(f"{drill.cause} was expected, and {sorted(found)} was found")
    misnamed = led - {drill.cause} - drill.on_the_way
    if misnamed:
        faults.append(f"{sorted(misnamed)} was told as the cause")
    faults += [f"{who} were not told" for who in sorted(drill.tell - heard)]
    faults += [f"{who} were told" for who in sorted(heard - drill.tell)]
    is_paged = any(one.is_page for one in about if one.at <= mended)
    if is_paged != drill.pages:
        faults.append("nobody was paged" if drill.pages else "somebody was paged")
    others = {*DATASETS, MONITOR} - {drill.dataset}
    if not drill.hits_others:
        wrong = sorted({one.incident.dataset for one in seen} & others)
        faults += [f"{name} was said to be unwell, too" for name in wrong]
    if well is None:
        faults.append(f"not well {MENDED_WITHIN} after the repair")
    return faults
