"""What the status page says: of each dataset for its stakeholders, then for engineers.

Everything is told from the catalogue and the state table. What nobody knows is said to
be not known; what is not well is told in full, and of the rest as much as has room.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.diagnosis.causes.beyond import CHECKS_MISSED
from lambdas.core.incidents.incident import in_plain_words
from lambdas.core.incidents.inhibition import inhibition, lineage
from lambdas.core.quality.due import relations
from lambdas.core.reports.page.facts import PageFacts
from lambdas.core.reports.page.model_row import model_row
from lambdas.core.reports.page.page_row import LONG, PageRow, dataset_row
from lambdas.core.reports.page.row_state import WORST_FIRST, RowState
from lambdas.core.reports.text import plain_text

_NAMED = 3
"""Late datasets that the headline names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseMinutes:
    """How often and how long a cause held something up in the last 30 days."""

    code: str
    plain: str
    minutes: int
    times: int
    datasets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """The whole page."""

    environment: str
    made_at: datetime
    checked_at: datetime | None
    checks_stopped: bool
    stale_after: timedelta
    """After the last check: then nobody knows how anything is."""
    rows: tuple[PageRow, ...]
    teams: tuple[str, ...]
    causes: tuple[CauseMinutes, ...]
    notes: tuple[str, ...]
    """What concerns all datasets, a sentence each."""
    simulated: bool

    @property
    def late(self) -> list[PageRow]:
        """Those that people wait for, the worst first."""
        return [row for row in self.rows if row.is_late]

    @property
    def roots(self) -> list[PageRow]:
        """Those that are late, and not with another: what people wait for first."""
        return [row for row in self.late if row.late_with is None]

    @property
    def has_models(self) -> bool:
        """Whether some rows are models."""
        return any(row.is_model for row in self.rows)

    @property
    def counts(self) -> dict[RowState, int]:
        """How many there are of each, those that there are none of left out."""
        found = dict.fromkeys(RowState, 0)
        for row in self.rows:
            found[row.state] += 1
        return {one: count for one, count in found.items() if count}

    @property
    def headline(self) -> str:
        """The page in one sentence."""
        total = len(self.rows)
        if not total:
            return "No dataset is declared yet"
        if self.checks_stopped:
            return "Not known: checks have stopped"
        if self.late:
            return self._who_is_late()
        unknown = self.counts.get(RowState.UNKNOWN, 0)
        if unknown:
            tables = "datasets and models" if self.has_models else "datasets"
            return f"{unknown} of {total} {tables}: not known whether on time"
        if set(self.counts) == {RowState.NO_PROMISE}:
            return "Nothing is promised"
        risky = self.counts.get(RowState.AT_RISK, 0)
        return "Everything is on time" + (f", {risky} at risk" if risky else "")

    def _who_is_late(self) -> str:
        roots = self.roots
        names = [row.name for row in roots[:_NAMED]]
        if len(roots) > _NAMED:
            names.append(f"{len(roots) - _NAMED} more")
        listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        is_one = len(roots) == 1
        with_it = len(self.late) - len(roots)
        made = f", and {with_it} made from {'it' if is_one else 'them'}"
        return f"{listed} {'is' if is_one else 'are'} late{made if with_it else ''}"


def status_page(facts: PageFacts) -> StatusPage:
    """The page at `facts.now`."""
    last = facts.state.last_check_at
    stale_after = CHECKS_MISSED * facts.check_every
    stopped = last is None or facts.now - last > stale_after
    datasets = {
        name: dataset_row(facts, name, stopped=stopped)
        for name in facts.catalogue.datasets
    }
    known = relations(facts.catalogue) if facts.catalogue.models else {}
    models = [
        model_row(facts, model, known[name], datasets)
        for name, model in facts.catalogue.models.items()
    ]
    rows = _in_order([*datasets.values(), *models], facts)
    return StatusPage(
        environment=facts.environment,
        made_at=facts.now,
        checked_at=last,
        checks_stopped=stopped,
        stale_after=stale_after,
        rows=tuple(rows),
        teams=tuple(sorted({row.team for row in rows if row.team})),
        causes=tuple(_causes(facts)),
        notes=tuple(
            plain_text(in_plain_words(one.cause), LONG)
            for one in facts.state.own.values()
            if one.resolved_at is None
        ),
        simulated=facts.simulated,
    )


def _in_order(rows: Sequence[PageRow], facts: PageFacts) -> list[PageRow]:
    """The worst first; what is late with another right after it."""
    by_badness = sorted(rows, key=lambda row: (WORST_FIRST.index(row.state), row.name))
    late = [row.name for row in by_badness if row.is_late]
    echoes = inhibition(lineage(facts.catalogue), late)
    place = {row.name: at for at, row in enumerate(by_badness)}

    def order(row: PageRow) -> tuple[int, bool, int]:
        root = row.late_with or row.name
        first = min(place[one] for one in (root, *echoes.of.get(root, ())))
        return first, row.late_with is not None, place[row.name]

    marked = [
        dataclasses.replace(
            row,
            late_with=echoes.by.get(row.name),
            made_late=echoes.of.get(row.name, ()),
        )
        for row in by_badness
    ]
    return sorted(marked, key=order)


def _causes(facts: PageFacts) -> list[CauseMinutes]:
    """What held things up in the last 30 days, the longest first."""
    first = facts.now - timedelta(days=30)
    seconds: defaultdict[str, float] = defaultdict(float)
    times: defaultdict[str, int] = defaultdict(int)
    hit: defaultdict[str, set[str]] = defaultdict(set)
    for name in facts.catalogue.datasets:
        watch = facts.state.watches.get(name)
        for late in watch.tally.lates if watch and watch.tally else ():
            if late.at >= first:
                code = late.cause or "unknown"
                seconds[code] += late.seconds
                times[code] += 1
                hit[code].add(name)
    return [
        CauseMinutes(
            code=code,
            plain=in_plain_words(code),
            minutes=round(total / 60),
            times=times[code],
            datasets=tuple(sorted(hit[code])),
        )
        for code, total in sorted(seconds.items(), key=lambda one: (-one[1], one[0]))
    ]
