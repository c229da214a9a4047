"""One check: who is due, who is late, why, and who has to hear of it.

Each step leaves behind only what the next check may repeat: a death anywhere between
two effects costs nothing but a second, equal message.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lambdas.adapters.signals.judge import Judge, Judged, reason
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.errors import (
    DeliveryError,
    StateConflict,
    StuckRun,
    SweepIncomplete,
)
from lambdas.core.events import OutgoingEvent
from lambdas.core.freshness.assess import (
    newest_of,
    passes_only_for_promise,
    passes_only_for_quiet,
    watch_after,
)
from lambdas.core.freshness.attainment import Usual, usual
from lambdas.core.freshness.landed import Witnessed
from lambdas.core.freshness.watch import (
    Watch,
    is_due,
    promise_hash,
    rides_along,
    tolerance_of,
)
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import (
    context_of,
    removed_context,
    with_late,
)
from lambdas.core.incidents.human import said_by
from lambdas.core.incidents.incident import (
    Ending,
    Incident,
    advance,
    retired,
)
from lambdas.core.incidents.inhibition import (
    Inhibition,
    inhibition,
    lineage,
    models_at,
    with_models,
)
from lambdas.core.incidents.message import local_time
from lambdas.core.incidents.notice import Notice, notices, with_notices
from lambdas.core.incidents.ports import Bus, CheckState, IncidentState
from lambdas.core.quality.due import relations
from lambdas.core.schedule.zones import last_morning
from lambdas.core.silences.silence import Silence
from lambdas.freshness.api_incidents import ApiIncidents
from lambdas.freshness.load_events import TOGETHER, LoadEvents
from lambdas.freshness.models import ModelPromises
from lambdas.freshness.outbox import Outbox
from lambdas.freshness.quality import QualityChecks
from lambdas.freshness.repair_notices import RepairNotices
from lambdas.freshness.risks import Risks, problems_of, recovered, with_problems
from lambdas.freshness.self_check import SelfCheck

LOG = logging.getLogger("catflap.freshness.check")
EVENTS_A_CHECK = 500
"""Refused events that one check publishes."""
NOTHING: Mapping[str, Callable[[datetime], Sequence[Notice]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check did, in figures. `wake_ups`: whether the warehouse was asked."""

    datasets: int
    due: int
    statements: int
    wake_ups: int
    suspects: int
    unknown: int
    notices: int
    delivered: int
    waiting: int
    conflicts: int
    failed: int
    swept: bool


@dataclass(slots=True, kw_only=True)
class _Outcome:
    """Notices, how often another was first, and why one was not checked, by name."""

    made: list[Notice] = field(default_factory=list)
    conflicts: int = 0
    unchecked: dict[str, str] = field(default_factory=dict)


class Witness(Protocol):
    """Tells how new tables are without reading them."""

    def tables(
        self,
        datasets: Sequence[Dataset],
        watches: Mapping[str, Watch],
        *,
        now: datetime,
    ) -> Mapping[str, Witnessed]:
        """The tables by dataset, all of them or none."""

    def marks(self, datasets: Sequence[Dataset]) -> Mapping[str, int]:
        """The marks, as far as they are known, of tables that were read."""


class FreshnessCheck:
    """Looks at every dataset that can be late, and tells who has to know."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        state: IncidentState,
        judge: Judge,
        outbox: Outbox,
        events: Bus,
        routes: Routes,
        self_check: SelfCheck,
        sweep: Callable[[], object],
        loads: RepairNotices,
        quality: QualityChecks,
        statements: Callable[[], int],
        has_time: Callable[[], bool],
        with_digest: Container[str] = frozenset(),
        afterwards: Mapping[str, Callable[[datetime], Sequence[Notice]]] = NOTHING,
        witness: Witness,
    ) -> None:
        """`afterwards` is looked at last, by what it is called: it makes notices that
        stand in the outbox, and nobody who is late waits for it. `witness` tells how
        new tables are that need not be read. `with_digest` are teams whose stakeholders
        get a digest in the morning, in place of a line for each dataset that is late.
        `sweep` completes runs that a
        crashed pull had recorded; `loads` makes notices of what was found about loads,
        `quality` of checks that fail; `statements` counts what the warehouse
        was asked so far; `has_time` says whether there is time to record one more
        change and still tell of it.
        """
        self._catalogue = catalogue
        self._state = state
        self._judge = judge
        self._outbox = outbox
        self._events = events
        self._load_events = LoadEvents(
            datasets=catalogue.datasets, events=events, state=state
        )
        self._routes = routes
        self._self_check = self_check
        self._risks = Risks(judge=judge, datasets=catalogue.datasets)
        self._apis = ApiIncidents(
            datasets=catalogue.datasets.values(), state=state, routes=routes
        )
        self._sweep = sweep
        self._loads = loads
        self._quality = quality
        self._statements = statements
        self._has_time = has_time
        self._with_digest = with_digest
        self._afterwards = afterwards
        self._witness = witness
        self._lineage = lineage(catalogue)
        self._told_at = {
            name: (one.owner.slack, one.owner.stakeholders)
            for name, one in catalogue.datasets.items()
        }
        self._of_models = {
            name: one.owner.stakeholders
            for name, one in relations(catalogue).items()
            if name in catalogue.models and one.owner.stakeholders is not None
        }
        self._silences: Sequence[Silence] = ()
        self._models = ModelPromises(catalogue=catalogue, judge=judge)
        self._watched = {**self._models.promised, **catalogue.datasets}
        self._promises = {
            name: promise_hash(dataset) for name, dataset in self._watched.items()
        }

    def run(self, *, now: datetime) -> CheckResult:
        """Check once. Raises only what leaves nothing half done: call it again."""
        asked_before = self._statements()
        before = self._state.check_state()
        self._silences = before.silences
        # First what waits: whatever happens to this check, nobody waits for another.
        waited = self._outbox.deliver(before.waiting)
        self._publish(before.events)
        swept, stuck = self._swept()
        due = self._due(before, now)
        judged = self._told_by_what_landed(due, before, now)
        if not judged:
            due = self._with_riders(due, before.watches, now)
        judgement = self._judge.judge(
            [] if judged else due, before.watches, now=now, failed=before.failed
        )
        judged = [*judged, *self._marked(judgement.judged)]
        names = {one.name for one in due}
        judged = self._risks.judged(before, judged, names, now)
        judged = with_problems(judged, problems_of(before))
        judged, of_apis = self._apis.told(judged, before, now)
        judged += self._models.judged(judged, before.watches, now)
        outcome = self._conclude(judged, now)
        outcome.made += of_apis
        outcome.unchecked |= judgement.unjudged
        self._state.forget_failures({*recovered(judged)} & before.failed)
        self._retire(before.watches, outcome, now)
        outcome.made += self._reported_loads(before, now)
        is_awake = self._statements() > asked_before
        outcome.made += self._checked_quality(before, now, is_awake=is_awake)
        delivered = self._outbox.deliver([*waited.left, *outcome.made])
        of_us = self._self_checked(before, delivered.left, stuck, outcome, now)
        left = delivered.left
        sent = waited.delivered + delivered.delivered
        if of_us := [*of_us, *self._looked_afterwards(now)]:
            more = self._outbox.deliver([*left, *of_us])
            left, sent = more.left, sent + more.delivered
        self._state.checked(now)
        statements = self._statements() - asked_before
        return CheckResult(
            datasets=len(self._catalogue.datasets),
            due=len(due),
            statements=statements,
            wake_ups=1 if statements else 0,
            suspects=sum(item.verdict.state.late for item in judged),
            unknown=sum(item.verdict.state == "unknown" for item in judged),
            notices=len(outcome.made) + len(of_us),
            delivered=sent,
            waiting=len(left),
            conflicts=outcome.conflicts,
            failed=len(outcome.unchecked),
            swept=swept,
        )

    def _looked_afterwards(self, now: datetime) -> Sequence[Notice]:
        made: list[Notice] = []
        for what, look in self._afterwards.items():
            try:
                made += look(now)
            except Exception:
                LOG.exception("could not see %s", what)
        return made

    def _publish(self, kept: Sequence[OutgoingEvent]) -> None:
        """Publish what the bus refused before; what it refuses again waits on."""
        if not kept:
            return
        events = kept[:EVENTS_A_CHECK]
        try:
            refused = self._events.publish_all(events)
        except DeliveryError as error:
            LOG.warning("%s; retrying with the next check", error)
            return
        for event_id, why in refused.items():
            LOG.warning(
                "the bus refused %s: %s; retrying with the next check",
                event_id,
                why,
            )
        self._state.published(one for one in events if one.event_id not in refused)

    def _swept(self) -> tuple[bool, Sequence[StuckRun]]:
        """Whether every recorded run was completed, and those that were not."""
        try:
            self._sweep()
        except SweepIncomplete as error:
            LOG.warning("%s; the next check tries again", error)
            return False, error.stuck
        except Exception:
            LOG.exception("could not look for unfinished runs; the next check will")
            return False, ()
        return True, ()

    def _reported_loads(self, before: CheckState, now: datetime) -> Sequence[Notice]:
        try:
            return self._loads.tell(before, now)
        except Exception:
            LOG.exception("could not send messages about loads; the next check will")
            return ()

    def _checked_quality(
        self, before: CheckState, now: datetime, *, is_awake: bool
    ) -> Sequence[Notice]:
        try:
            return self._quality.check(
                is_awake=is_awake, last_check_at=before.last_check_at, now=now
            )
        except Exception:
            LOG.exception("quality checks could not run; the next check tries again")
        return ()

    def _self_checked(
        self,
        before: CheckState,
        left: Sequence[Notice],
        stuck: Sequence[StuckRun],
        outcome: _Outcome,
        now: datetime,
    ) -> Sequence[Notice]:
        try:
            return self._self_check.check(
                before, left=left, stuck=stuck, unchecked=outcome.unchecked, now=now
            )
        except StateConflict as conflict:
            LOG.warning("%s", conflict)
        except Exception:
            LOG.exception("could not save the incident of the monitoring")
        return ()

    def _due(self, check_state: CheckState, now: datetime) -> list[Dataset]:
        """Who can be late."""
        untold = {notice.dataset for notice in check_state.waiting}
        watches = check_state.watches
        promised = [
            dataset
            for dataset in self._catalogue.datasets.values()
            if dataset.schedule.paused is None
        ]
        due = {
            dataset.name
            for dataset in promised
            if is_due(
                watches.get(dataset.name),
                promise=self._promises[dataset.name],
                now=now,
                has_undelivered=dataset.name in untold,
                tolerance=tolerance_of(dataset),
            )
        } | self._models.due(watches, now)
        return [dataset for dataset in promised if dataset.name in due]

    def _with_riders(
        self, due: Sequence[Dataset], watches: Mapping[str, Watch], now: datetime
    ) -> list[Dataset]:
        """Whom the warehouse is woken for, and who shares the wake-up."""
        names = {dataset.name for dataset in due}
        return [
            dataset
            for dataset in self._catalogue.datasets.values()
            if dataset.name in names
            or (
                bool(due)
                and dataset.schedule.paused is None
                and rides_along(watches.get(dataset.name), now=now)
            )
        ]

    def _told_by_what_landed(
        self, due: Sequence[Dataset], before: CheckState, now: datetime
    ) -> list[Judged]:
        """None where a load of theirs is known to be amiss."""
        amiss = problems_of(before)
        if any(dataset.name in amiss for dataset in due):
            return []
        try:
            told = self._witness.tables(due, before.watches, now=now)
            if not told:
                return []
            return self._judge.by_landed(due, before.watches, told, now=now)
        except Exception:
            LOG.exception("could not read what landed; reading the tables instead")
            return []

    def _marked(self, read: Sequence[Judged]) -> list[Judged]:
        """With the marks of the tables that were read, of those that are well. They are
        asked after the reading: what raises one later came after what was read.
        """
        well = [
            item.dataset
            for item in read
            if item.verdict.state == "pass" and item.signals.table.read == "ok"
        ]
        try:
            marks = self._witness.marks(well)
        except Exception:
            LOG.exception("the tables' marks could not be asked; tables are read")
            return list(read)
        return [
            dataclasses.replace(item, change_mark=marks[item.dataset.name])
            if item.dataset.name in marks
            else item
            for item in read
        ]

    def _conclude(self, judged: Sequence[Judged], now: datetime) -> _Outcome:
        """Keep what changed, of each dataset for itself.

        One that fails, and one that somebody else changed, keeps its record as it was,
        so that it is due again.
        """
        outcome = _Outcome()
        unchanged: list[Watch] = []
        unannounced: Mapping[str, str] = {}
        opened: Mapping[str, Incident | None] = {}
        late = with_models(self._lineage, _late(judged), self._catalogue.models)
        inhibited = inhibition(self._lineage, late, told_at=self._told_at)
        for place, item in enumerate(judged):
            if not self._has_time():
                left = len(judged) - place
                LOG.warning("out of time; %s datasets wait for the next check", left)
                break
            if place % TOGETHER == 0:
                some = judged[place : place + TOGETHER]
                unannounced = self._load_events.announce(some)
                opened = self._opened(some)
            if item.dataset.name in unannounced:
                why = unannounced[item.dataset.name]
                outcome.unchecked[item.dataset.name] = why
                continue
            try:
                watch, made = self._advance(item, opened, inhibited, now)
            except StateConflict as conflict:
                LOG.warning("%s", conflict)
                outcome.conflicts += 1
                continue
            except Exception as error:
                LOG.exception("could not check %s", item.dataset.name)
                outcome.unchecked[item.dataset.name] = reason(error)
                continue
            outcome.made += made
            if watch is not None:
                unchanged.append(watch)
        outcome.unchecked |= self._state.remember(unchanged)
        return outcome

    def _advance(
        self,
        item: Judged,
        opened: Mapping[str, Incident | None],
        inhibited: Inhibition,
        now: datetime,
    ) -> tuple[Watch | None, Sequence[Notice]]:
        """Record a change of the incident and its notices, or what is to be kept.
        `opened` are open incidents as far as they were read.
        """
        dataset, watch = item.dataset, item.before
        verdict = _beside(item.verdict, inhibited)
        before = None
        if _may_be_open(item):
            before = (
                opened[dataset.name]
                if dataset.name in opened
                else self._state.open_incident(dataset.name)
            )
        if before is None and verdict.cause is None:
            # Nothing is open and nothing is wrong, as of nearly every dataset.
            return _ended_by_person(_kept(item, incident_id=None), item), ()
        promise = dataset.freshness
        earlier = self._earlier(watch) if before is None else None
        dependents = inhibited.of.get(dataset.name, ())
        subject = context_of(
            dataset,
            usual=_usual(watch, now),
            models_at=models_at(
                self._of_models, self._lineage, dataset.name, dependents
            ),
        )
        silence = subject.silence(self._silences, verdict.cause, now)
        if silence is not None:
            verdict = _with_silence(verdict, silence, now)
        transition = advance(
            before,
            verdict,
            now=now,
            is_silenced=silence is not None,
            joins_silence=silence is not None and silence.is_joined_by(dataset.name),
            newest_at=newest_of(dataset, item.signals.table),
            still_old=passes_only_for_quiet(item.signals, verdict),
            inhibited_by=inhibited.by.get(dataset.name),
            dependents=dependents,
            repeat=promise.repeat_every.duration,
            less_promised=passes_only_for_promise(
                dataset, item.signals, verdict, watch
            ),
            morning=None
            if dataset.owner.team in self._with_digest
            else last_morning(now, promise.calendar.timezone),
            earlier=earlier,
            reopen_within=promise.reopen_within.duration,
        )
        after = transition.incident
        is_open = after is not None and after.resolved_at is None
        incident_id = after.incident_id if after is not None and is_open else None
        kept = _kept(item, incident_id=incident_id)
        if before is None:
            kept = _ended_by_person(kept, item)
        if after is None or after is before:
            return kept, ()
        if kept.tally is not None:
            kept = dataclasses.replace(kept, tally=with_late(kept.tally, after))
        if not is_open:
            kept = dataclasses.replace(
                kept, ended_incident=after.incident_id, ended_at=now
            )
        LOG.info("%s: %s (%s)", after.incident_id, verdict.headline, verdict.cause)
        told = notices(
            transition,
            verdict,
            subject=subject,
            routes=self._routes,
            now=now,
        )
        self._state.record(
            before or earlier_of(earlier, after),
            with_notices(after, told),
            notices=told,
            watch=kept,
        )
        return None, told

    def _opened(self, judged: Sequence[Judged]) -> Mapping[str, Incident | None]:
        """The open incidents, read at once; one that is not there is read alone."""
        names = [one.dataset.name for one in judged if _may_be_open(one)]
        try:
            return self._state.open_incidents(names)
        except Exception:
            LOG.exception("could not read incidents together; reading them one by one")
            return {}

    def _earlier(self, watch: Watch | None) -> Incident | None:
        """The dataset's last incident that is over. One that was open at the last look
        and is no more was closed by a person.
        """
        last = None if watch is None else watch.incident_id or watch.ended_incident
        return None if last is None else self._state.incident(last)

    def _end(
        self, name: str, ending: Ending, watch: Watch | None, now: datetime
    ) -> Sequence[Notice]:
        """End what is open of a dataset that is watched no more, and say so."""
        incident = self._state.open_incident(name)
        if incident is None:
            return ()
        transition = retired(incident, now=now, ending=ending)
        after = transition.incident or incident
        dataset = relations(self._catalogue).get(name)
        made = notices(
            transition,
            said_by(after),
            subject=removed_context(name) if dataset is None else context_of(dataset),
            routes=self._routes,
            now=now,
        )
        self._state.record(
            incident, with_notices(after, made), notices=made, watch=watch
        )
        return made

    def _paused(self, watch: Watch, outcome: _Outcome, now: datetime) -> None:
        """End what is open of a dataset that is paused: nothing is promised now."""
        quiet = dataclasses.replace(
            watch,
            promise="",
            incident_id=None,
            at_risk=False,
            cause=None,
            state="pass",
            is_paused=True,
        )
        try:
            if self._state.open_incident(watch.dataset) is None:
                outcome.unchecked |= self._state.remember([quiet])
                return
            outcome.made += self._end(watch.dataset, Ending.NOT_PROMISED, quiet, now)
        except StateConflict as conflict:
            LOG.warning("%s", conflict)
        except Exception as error:
            LOG.exception("could not end the incident of %s", watch.dataset)
            outcome.unchecked[watch.dataset] = reason(error)

    def _retire(
        self, watches: Mapping[str, Watch], outcome: _Outcome, now: datetime
    ) -> None:
        """Close what was open of datasets that exist no more, and forget them."""
        paused = [
            watches[name]
            for name, dataset in self._catalogue.datasets.items()
            if dataset.schedule.paused is not None
            and name in watches
            and not watches[name].is_paused
        ]
        for watch in paused:
            self._paused(watch, outcome, now)
        gone = [name for name in watches if name not in self._watched]
        retired_now = []
        for name in gone:
            try:
                is_there = name in self._catalogue.models
                ending = Ending.NOT_PROMISED if is_there else Ending.REMOVED
                outcome.made += self._end(name, ending, None, now)
            except StateConflict as conflict:
                LOG.warning("%s", conflict)
            except Exception as error:
                LOG.exception("could not close the incident of %s", name)
                outcome.unchecked[name] = reason(error)
            else:
                retired_now.append(name)
        if retired_now:
            self._state.forget(retired_now)


def _with_silence(verdict: Verdict, silence: Silence, now: datetime) -> Verdict:
    """Whoever reads of it all the same reads why nobody was told."""
    until = silence.until_at(now) or silence.ends_at
    said = (
        f"silenced until {local_time(until, silence.timezone)} by {silence.by}: "
        f"{silence.why} ({silence.target})"
    )
    return dataclasses.replace(verdict, evidence=(*verdict.evidence, said))


def _beside(verdict: Verdict, inhibited: Inhibition) -> Verdict:
    """Who can act on what a late dataset is made from is told of that."""
    origin = inhibited.beside.get(verdict.dataset)
    if origin is None or not verdict.state.late:
        return verdict
    evidence = (*verdict.evidence, f"{origin}, which it is made from, is late, too")
    return dataclasses.replace(verdict, page=False, evidence=evidence)


def _ended_by_person(kept: Watch, item: Judged) -> Watch:
    """`kept`, of a dataset with no open incident: one that was open at the last look
    was closed by a person since.
    """
    closed = item.before.incident_id if item.before is not None else None
    if closed is None:
        return kept
    return dataclasses.replace(kept, ended_incident=closed, ended_at=item.signals.now)


def _kept(item: Judged, *, incident_id: str | None) -> Watch:
    """What to remember of it; what was not read stays as it was."""
    if item.is_remembered and item.before is not None:
        return dataclasses.replace(
            item.before,
            cause=item.verdict.cause,
            at_risk=item.verdict.at_risk,
            incident_id=incident_id,
        )
    return watch_after(
        item.dataset,
        item.signals,
        item.verdict,
        item.before,
        incident_id=incident_id,
        awaited_until=item.awaited_until,
        is_witnessed=item.is_witnessed,
        change_mark=item.change_mark,
    )


def earlier_of(earlier: Incident | None, after: Incident) -> Incident | None:
    """The incident that was opened again, if it was."""
    is_same = earlier is not None and earlier.incident_id == after.incident_id
    return earlier if is_same else None


def _usual(watch: Watch | None, now: datetime) -> Usual | None:
    """How the dataset was late before, as far as the monitor remembers."""
    if watch is None or watch.tally is None:
        return None
    return usual(watch.tally.lates, now=now)


def _late(judged: Sequence[Judged]) -> list[str]:
    """Who is late, the worst first: those that were, and now cannot be seen or pass
    only since nothing is due, still are.
    """
    late = [
        item
        for item in judged
        if item.verdict.state.late
        or (_is_open(item) and passes_only_for_quiet(item.signals, item.verdict))
        or (item.verdict.state == "unknown" and _was_late(item))
    ]

    def badness(item: Judged) -> tuple[bool, float]:
        newest = newest_of(item.dataset, item.signals.table)
        age = (item.signals.now - newest).total_seconds() if newest else float("inf")
        return item.verdict.state == "error", age

    return [item.dataset.name for item in sorted(late, key=badness, reverse=True)]


def _may_be_open(item: Judged) -> bool:
    """Whether it had an incident, or something is wrong: as of hardly any dataset."""
    return item.verdict.cause is not None or _is_open(item)


def _is_open(item: Judged) -> bool:
    return item.before is not None and item.before.incident_id is not None


def _was_late(item: Judged) -> bool:
    """What the last look that could see the table saw."""
    tally = item.before.tally if item.before is not None else None
    return tally is not None and tally.was_late
