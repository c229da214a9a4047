"""A circuit breaker beside the pulls: which runs it shows, whatever goes wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from lambdas.adapters.state.checks import CheckTable
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import WarehouseError, WarehouseUnreachable
from lambdas.core.landing.names import OF_PULL
from lambdas.core.quality.release import Shown
from lambdas.core.quality.result import Release
from lambdas.freshness.quality import QualityChecks
from tests.checked import MemoryChecks
from tests.soak.aws import DynamoDB
from tests.soak.faults import Killed
from tests.soak.snowpipe import Loaded, Snowpipe
from tests.soak.world import LONGEST_PAUSE_S, World
from tests.watched import MemoryIncidents

HOURS = 6
LONGEST_CHECK_S = 15 * 60
"""Then its function is ended."""
_CANDIDATE = re.compile(r"UNION SELECT '([^']+)'")
_OF_RUN = re.compile(r"STARTSWITH\(_RUN_ID, '([^']+)'\)")
_RECORDED = re.compile(r"\('cats', '([^']+)', (TRUE|FALSE), '([^']+)', '([^']+)'\)")
Answer = list[tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerShape:
    """What a breaker is about, drawn apart from all else."""

    on: Literal["run", "relation"]
    hold_hours: int
    fails_from_s: float
    """When checks begin to fail to run, and for how long."""
    fails_for_s: float
    releases: bool

    @property
    def declares(self) -> dict[str, Any]:
        """As a dataset says it."""
        odd = {"metric": "invalidValues", "column": "v", "mustBe": 0, "on": self.on}
        hold = {"count": self.hold_hours, "period": "hour"}
        return {
            "quality": [odd | {"arguments": {"max": 0}}],
            "circuit_breaker": {"hold_at_most": hold},
        }


def drawn_breaker(seed: int) -> BreakerShape | None:
    """A breaker for one seed in three."""
    rng = random.Random(f"breaker {seed}")
    if rng.random() > 1 / 3:
        return None
    return BreakerShape(
        on=rng.choice(("run", "relation")),
        hold_hours=rng.choice((1, 3, 48)),
        fails_from_s=rng.random() * HOURS * 3600,
        fails_for_s=rng.choice((0.0, 3600.0, 4 * 3600.0)),
        releases=rng.random() < 0.3,
    )


def is_of_pull(row: Loaded, run_id: str) -> bool:
    """Whether a segment of the same pull brought it."""
    return row.run_id[:OF_PULL] == run_id[:OF_PULL]


def is_bad(row: Loaded) -> bool:
    """Whether the check of severity error counts it."""
    return (row.number * 31 + row.version * 17) % 13 == 0


class CheckedTables:
    """The warehouse, as far as a breaker asks it: it knows the statements by what
    stands in them, and answers as the relation's SQL does.
    """

    def __init__(self, world: World, pipe: Snowpipe, shape: BreakerShape) -> None:
        self.shown: dict[str, Shown] = {}
        """Of each run that shows, why it first did."""
        self.held: set[str] = set()
        self._passed: dict[str, int] = {}
        self._failed_s = -1e9
        self.check_began_s = 0.0
        self._world = world
        self.pipe = pipe
        self._shape = shape
        pipe.on_loaded.append(self._look)

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> Answer:
        """One statement, which may go wrong."""
        del parameters
        name, do = self._understood(statement)
        if self._world.now_s - self.check_began_s > LONGEST_CHECK_S:
            raise Killed(name)
        if name == "measure" and self._cannot_run():
            self._failed_s = self._world.now_s
            self._world.counts["checks that could not run"] += 1
            raise WarehouseError("Numeric value 'x' is not recognized")
        return self._world.effect(name, lambda: do(statement), self._refused)

    def _refused(self, was_done: bool) -> Exception:  # noqa: FBT001 - as `effect` asks
        self._failed_s = self._world.now_s
        return WarehouseUnreachable("no answer" if was_done else "refused")

    def _understood(self, statement: str) -> tuple[str, Callable[[str], Answer]]:
        known: dict[str, tuple[str, Callable[[str], Answer]]] = {
            "MAX(RUN_ID)": ("ask for the newest load", self._newest_load),
            "IS_WHOLE": ("ask what waits", self._waiting),
            "INSERT INTO DB.RAW._RELEASED": ("record what shows", self._record),
            "INSERT INTO DB.RAW._CHECKS": ("write results", lambda _: []),
            "DELETE FROM DB.RAW._CHECKS": ("drop old results", lambda _: []),
            "HAVING COUNT_IF(IS_SHOWN)": ("ask what is held", self._asked_held),
            "INFORMATION_SCHEMA": ("ask for columns", lambda _: _COLUMNS),
            "AS BRANCH": ("measure", self._measured),
            "AS CHECK_NUMBER": ("sample", lambda _: []),
            "SELECT MAX(": ("ask up to when data show", lambda _: [(None,)]),
        }
        for part, found in known.items():
            if part in statement:
                return found
        message = f"a statement nobody taught this stand-in: {statement}"
        raise NotImplementedError(message)

    def _cannot_run(self) -> bool:
        """A lasting fault, besides those of single statements."""
        since = self._world.now_s - self._shape.fails_from_s
        is_over = self._world.weather.is_over
        return not is_over and 0 <= since < self._shape.fails_for_s

    def loaded(self) -> dict[str, list[Loaded]]:
        """The rows of each run of which a row or the file is loaded."""
        runs: dict[str, list[Loaded]] = {one: [] for one in self.pipe.complete}
        for row in self.pipe.table:
            runs.setdefault(row.run_id, []).append(row)
        return runs

    def waiting(self) -> list[tuple[str, bool, datetime]]:
        """Each run that is neither shown nor held: whether all of it is loaded, and
        since when.
        """
        found = []
        for run, rows in self.loaded().items():
            if run in self.shown or run in self.held:
                continue
            file = self.pipe.complete.get(run)
            is_whole = file is not None and len(rows) >= _rows(file)
            first = min((row.loaded_at for row in rows), default=self._world.now())
            found.append((run, is_whole, first))
        return found

    def relation(self, *more: str) -> list[Loaded]:
        """The rows that people see, or would see with more runs."""
        return self.pipe.relation({*self.shown, *more})

    def _waiting(self, _statement: str) -> Answer:
        return [("cats", *one) for one in self.waiting()]

    def _asked_held(self, _statement: str) -> Answer:
        return [(run,) for run in self.held - {*self.shown}]

    def _newest_load(self, _statement: str) -> Answer:
        runs, rows = self.loaded(), self.pipe.table
        newest = max((row.loaded_at for row in rows), default=None)
        return [("cats", max(runs, default=None), newest)]

    def _measured(self, statement: str) -> Answer:
        rows = self.relation(*_CANDIDATE.findall(statement))
        only = _OF_RUN.findall(statement)
        if only:
            rows = [row for row in rows if row.run_id.startswith(tuple(only))]
        return [(0, float(sum(map(is_bad, rows))))]

    def _record(self, statement: str) -> Answer:
        recorded = _RECORDED.findall(statement)
        assert recorded, statement
        before = sum(map(is_bad, self.relation()))
        for run, is_shown, written, _ in recorded:
            how = Shown(written)
            self._world.counts[f"runs: {how}"] += 1
            if how is Shown.UNCHECKED:
                self._must_have_waited(run)
            if is_shown == "TRUE":
                self.shown.setdefault(run, how)
                self._passed.setdefault(run, len(self.loaded().get(run, ())))
            else:
                self.held.add(run)
        if how is Shown.PASSED and sum(map(is_bad, self.relation())) > before:
            self._world.violated(f"bad rows show with {recorded}")
        return []

    def _must_have_waited(self, run: str) -> None:
        rows, file = self.loaded()[run], self.pipe.complete.get(run)
        since = min((row.loaded_at for row in rows), default=self._world.now())
        least = timedelta(hours=self._shape.hold_hours)
        if rows and self._world.now() - since < least:
            self._world.violated(f"{run} shows unchecked, and waited too short a time")
        has_failed = self._world.now_s - self._failed_s < LONGEST_PAUSE_S
        if file is not None and len(rows) >= _rows(file) and not has_failed:
            self._world.violated(f"{run} shows unchecked, and could be checked")

    def _look(self) -> None:
        """No row that comes later shows with a run that has passed."""
        bad = {row.run_id for row in self.relation() if is_bad(row)}
        for run in bad:
            rows = self.loaded()[run]
            if self.shown[run] is Shown.PASSED and len(rows) > self._passed[run]:
                self._world.violated(f"rows of {run} came after it had passed")


_COLUMNS: Answer = [("CATS", name, "NUMBER") for name in ("V", "N", "_RUN_ID")]


def _rows(file: dict[str, Any]) -> int:
    return int(file["rows"])


class Checker:
    """The checks of the freshness function, and the person who shows what is held."""

    def __init__(
        self,
        world: World,
        *,
        catalogue: Catalogue,
        dynamodb: DynamoDB,
        tables: CheckedTables,
        shape: BreakerShape,
    ) -> None:
        self.tables = tables
        self._world = world
        self._catalogue = catalogue
        self._store = CheckTable(
            dynamodb=dynamodb,  # type: ignore[arg-type]  # the calls that are made
            table="state",
        )
        self._incidents = MemoryIncidents()
        self._shape = shape
        self._checked_at: datetime | None = None
        self._checks = 0

    def check(self) -> None:
        """One check, of a warehouse that is awake or has to be woken."""
        now = self._world.now()
        checks = QualityChecks(
            catalogue=self._catalogue,
            database="DB",
            environment="prod",
            warehouse=self.tables,
            store=self._store,
            runs=self._store,
            state=self._incidents,
            routes={},
            events=MemoryChecks(),
            has_time=lambda: True,
        )
        before, self._checked_at = self._checked_at, now
        self._checks += 1
        is_awake = self._checks % 4 == 0  # freshness asks for something
        outer, self.tables.check_began_s = self.tables.check_began_s, self._world.now_s
        try:
            checks.check(is_awake=is_awake, last_check_at=before, now=now)
        finally:
            # this one ran while another was paused
            self.tables.check_began_s = outer

    def release(self) -> None:
        """A person shows a run that is held back."""
        held = sorted(self.tables.held - {*self.tables.shown})
        if not self._shape.releases or not held:
            return
        run = self._world.rng.choice(held)
        wanted = Release(dataset="cats", run_id=run, by="mia", at=self._world.now())
        self._store.release(wanted)
        self._world.counts["runs that a person shows"] += 1

    def broken(self) -> Iterator[str]:
        """What must hold in the end: nothing waits, what is good shows, and only what
        is bad is held back.
        """
        tables = self.tables
        yield from (f"{run} waits for ever" for run, *_ in tables.waiting())
        runs = tables.loaded()
        for run in tables.held - {*tables.shown}:
            looked_at = runs[run]
            if self._shape.on == "run":
                looked_at = [row for row in tables.pipe.table if is_of_pull(row, run)]
            if not any(map(is_bad, looked_at)):
                yield f"{run} has passed, and its rows do not show"
