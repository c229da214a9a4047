"""The ports, in memory: as strict as the real ones, and able to die on cue.

`Faults` counts effects. A test that kills a pull at every possible point asks for a
death before or after the n-th effect, runs, and then runs again without.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from lambdas.core.errors import DeliveryError, StateConflict, UploadGone, UpstreamError
from lambdas.core.events import EVENTS, OutgoingEvent
from lambdas.core.loading.repair import Problem
from lambdas.core.pull.ports import Page
from lambdas.core.pull.run import (
    DatasetState,
    LaneStamp,
    PendingObject,
    Run,
    UploadPart,
)


class Killed(BaseException):
    """The process is gone: nothing may catch it and go on."""


@dataclass(kw_only=True)
class Faults:
    """Kills at an effect. `at` counts from 1; `after` says on which side of it."""

    at: int = 0
    after: bool = False
    seen: int = 0
    names: list[str] = field(default_factory=list)

    def around(self, name: str, effect: Callable[[], object]) -> None:
        """Carry an effect out, or die beside it."""
        self.seen += 1
        self.names.append(name)
        if self.seen == self.at and not self.after:
            raise Killed(f"before {name}")
        effect()
        if self.seen == self.at:
            raise Killed(f"after {name}")


class FakeClock:
    """Time that passes only when it is slept, or told to."""

    def __init__(self, now: datetime = datetime(2013, 1, 1, tzinfo=UTC)) -> None:
        self._now = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(timedelta(seconds=seconds))

    def monotonic(self) -> float:
        return self._now.timestamp()

    def advance(self, by: timedelta) -> None:
        self._now += by


class MemoryUpload:
    """An open upload."""

    def __init__(self, landing: MemoryLanding, key: str, run_id: str) -> None:
        self._landing = landing
        self._key = key
        self._upload_id = f"upload-{len(landing.uploads) + 1}"
        landing.uploads[self._upload_id] = (key, run_id, b"")

    def write(self, data: bytes) -> None:
        key, run_id, body = self._landing.uploads[self._upload_id]
        self._landing.uploads[self._upload_id] = (key, run_id, body + data)

    def finish(self, rows: int) -> PendingObject:
        self._landing.faults.around("upload part", lambda: None)
        _, _, body = self._landing.uploads[self._upload_id]
        part = UploadPart(number=1, etag="e", checksum="c")
        return PendingObject(
            key=self._key,
            upload_id=self._upload_id,
            parts=(part,),
            rows=rows,
            size=len(body),
        )

    def abort(self) -> None:
        self._landing.uploads.pop(self._upload_id, None)


class MemoryLanding:
    """A bucket: uploads are invisible, names are written once."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.uploads: dict[str, tuple[str, str, bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.written: list[str] = []

    def open(self, key: str, *, run_id: str) -> MemoryUpload:
        self.faults.around("open upload", lambda: None)
        return MemoryUpload(self, key, run_id)

    def complete(self, pending: PendingObject, *, run_id: str) -> None:
        def effect() -> None:
            upload = self.uploads.pop(pending.upload_id, None)
            if upload is None:
                if not self.is_visible(pending, run_id=run_id):
                    raise UploadGone(pending.key)
                return
            assert pending.key not in self.objects, "a name was written twice"
            self._write(pending.key, upload[2])

        self.faults.around("complete upload", effect)

    def is_visible(self, pending: PendingObject, *, run_id: str) -> bool:
        del run_id
        return pending.key in self.objects

    def put(self, key: str, body: bytes) -> None:
        def effect() -> None:
            if key not in self.objects:
                self._write(key, body)

        self.faults.around(f"put {key.split('/', maxsplit=1)[0]}", effect)

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def delete(self, key: str) -> None:
        self.faults.around("delete", lambda: self.objects.pop(key, None))

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                yield key

    def read(self, key: str, *, start: int, size: int) -> bytes | None:
        body = self.objects.get(key)
        return None if body is None else body[start : start + size]

    def _write(self, key: str, body: bytes) -> None:
        self.written.append(key)
        self.objects[key] = body


class MemoryState:
    """The state table: conditional on versions."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.states: dict[str, DatasetState] = {}
        self.runs: dict[tuple[str, str], Run] = {}
        self.stamps: dict[str, LaneStamp] = {}
        self.suspected: dict[str, datetime] = {}

    def read(self, dataset: str) -> DatasetState:
        return self.states.get(dataset, DatasetState.fresh(dataset))

    def read_run(self, dataset: str, run_id: str) -> Run | None:
        return self.runs.get((dataset, run_id))

    def committing_datasets(self) -> Sequence[str]:
        return [name for name, state in self.states.items() if state.committing]

    def record_started(self, run: Run) -> None:
        if (run.state_name, run.run_id) in self.runs:
            raise StateConflict(f"another run is called {run.run_id}")
        self.faults.around("record started", lambda: self._keep(run))

    def record_failed(self, run: Run) -> None:
        self.faults.around("record failed", lambda: self._keep(run))

    def suspect(self, dataset: str, at: datetime) -> None:
        self.suspected[dataset] = at

    def record_committing(self, before: DatasetState, run: Run) -> DatasetState:
        after = dataclasses.replace(before, committing=run.run_id)
        return self._write("record committing", before, after, run)

    def record_landed(
        self, before: DatasetState, after: DatasetState, run: Run
    ) -> DatasetState:
        return self._write("record landed", before, after, run)

    def record_voided(self, before: DatasetState, run: Run) -> DatasetState:
        after = dataclasses.replace(before, committing=None)
        return self._write("record voided", before, after, run)

    def record_lane(self, before: DatasetState, after: DatasetState) -> DatasetState:
        written = dataclasses.replace(after, version=before.version + 1)

        def effect() -> None:
            self._check(before)
            self.states[before.name] = written

        self.faults.around("record lane", effect)
        return written

    def next_lane_stamp(self, dataset: str, floor: datetime) -> LaneStamp:
        known = self.stamps.get(dataset, LaneStamp(at=floor, number=0))
        self.stamps[dataset] = known.next(floor)
        return self.stamps[dataset]

    def _keep(self, run: Run) -> None:
        self.runs[run.state_name, run.run_id] = run

    def _check(self, before: DatasetState) -> None:
        if self.read(before.name).version != before.version:
            raise StateConflict(before.name)

    def _write(
        self, name: str, before: DatasetState, after: DatasetState, run: Run
    ) -> DatasetState:
        written = dataclasses.replace(after, version=before.version + 1)

        def effect() -> None:
            self._check(before)
            self.states[before.name] = written
            self._keep(run)

        self.faults.around(name, effect)
        return written


def assert_documented(detail_type: str, detail: Mapping[str, object]) -> None:
    """The detail has every field of its event's type, and no other."""
    (kind,) = (one for one in EVENTS if one.detail_type == detail_type)
    assert msgspec.convert(detail, kind).detail() == detail


class MemoryEvents:
    """A bus that remembers, and takes only what docs/events.md describes."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.published: list[tuple[str, Mapping[str, object]]] = []
        self.is_refusing = False
        self.refused: set[str] = set()

    def publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        assert_documented(detail_type, detail)
        if self.is_refusing:
            raise DeliveryError(f"the bus refused {detail_type}")
        self.faults.around(
            "publish", lambda: self.published.append((detail_type, detail))
        )

    def publish_all(self, events: Sequence[OutgoingEvent]) -> dict[str, str]:
        taken = [one for one in events if one.event_id not in self.refused]
        for one in taken:
            self.publish(one.detail_type, one.detail)
        return {
            one.event_id: "InternalException: try again"
            for one in events
            if one not in taken
        }


class ListSource:
    """Pages from a list; an UpstreamError in it is raised in its turn."""

    reached: None = None

    def __init__(self, pages: Sequence[Sequence[bytes] | UpstreamError]) -> None:
        self._pages = pages
        self.requests = 0
        self.retries = 0

    def pages(self) -> Iterator[Page]:
        for number, records in enumerate(self._pages, start=1):
            self.requests += 1
            if isinstance(records, UpstreamError):
                raise records
            yield Page(records=records, number=number, url="https://api.test/")


class KeptProblems:
    """UnmadeReports in memory, by dataset."""

    def __init__(self) -> None:
        self.problems: dict[str | None, Problem] = {}

    def report(self, problem: Problem) -> None:
        self.problems[problem.dataset] = problem

    def made(self, dataset: str) -> None:
        self.problems.pop(dataset, None)

    def all_made(self) -> None:
        self.problems.clear()
