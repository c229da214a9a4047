"""Refused records and seen columns go through the commit protocol with the rows."""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

from cli.commands import pull as pulling
from cli.commands import runs
from cli.one_machine.file_state import FileState
from cli.run_documents import run_document
from lambdas.core.columns.observed import Observed, mark_of
from lambdas.core.dataset import Dataset
from lambdas.core.landing.names import QUARANTINE, RAW, RUNS
from lambdas.core.landing.quarantine import quarantined_from_line
from lambdas.core.pull.commit import Committer
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.manifest import manifest_from_json, manifest_to_json
from lambdas.core.pull.ports import PageSource
from lambdas.core.pull.run import DatasetState, Manifest, RunStatus
from lambdas.core.pull.window import Window
from lambdas.pull import handler
from lambdas.pull.worker import DeliveryOutcome
from tests.datasets import a_dataset
from tests.memory import (
    FakeClock,
    Faults,
    Killed,
    ListSource,
    MemoryEvents,
    MemoryLanding,
    MemoryState,
)

GOOD = [b'{"id":%d,"at":%d,"fur":"red"}' % (n, n) for n in range(1, 5)]
TAILED = b'{"id":9,"at":4,"tail":12345678901234567890123}'
PAGES = [[GOOD[0], b'{"id":8,"at":2,"tail":1}', GOOD[1]], [GOOD[2], TAILED, GOOD[3]]]


class World:
    """A dataset that discards rows, its upstream and its landing zone."""

    def __init__(self, **changes: object) -> None:
        self.clock = FakeClock()
        self.landing = MemoryLanding()
        self.state = MemoryState()
        self.events = MemoryEvents()
        self.pages: list[list[bytes]] = PAGES
        self.dataset = a_dataset(
            **{
                "columns": {"fur": "string"},
                "contract": {"columns": "discard_row"},
                **changes,
            }
        )
        self._random = itertools.count()

    def source(self, dataset: Dataset, window: Window) -> PageSource:
        del dataset
        floor = int(window.start or 0)
        return ListSource(
            [
                [row for row in page if json.loads(row)["at"] >= floor]
                for page in self.pages
            ]
        )

    def faulty(self, faults: Faults) -> None:
        self.landing.faults = self.state.faults = self.events.faults = faults

    def puller(self) -> Puller:
        return Puller(
            landing=self.landing,
            state=self.state,
            events=self.events,
            clock=self.clock,
            source=self.source,
            random=lambda size: next(self._random).to_bytes(size, "big"),
            roll_over_bytes=1,
        )

    def lines(self, prefix: str) -> list[bytes]:
        return [
            line
            for key, body in sorted(self.landing.objects.items())
            if key.startswith(prefix)
            for line in gzip.decompress(body).splitlines()
        ]

    def quarantined(self) -> list[bytes]:
        return [
            bytes(quarantined_from_line(line).record) for line in self.lines(QUARANTINE)
        ]

    def told(self, detail_type: str) -> list[dict[str, object]]:
        return [
            dict(detail)
            for kind, detail in self.events.published
            if kind == detail_type
        ]


def test_refused_records_are_counted_and_are_no_rows() -> None:
    world = World()
    result = world.puller().pull(world.dataset)
    assert world.lines(RAW) == GOOD
    assert world.quarantined() == [b'{"id":8,"at":2,"tail":1}', TAILED]
    assert (result.run.rows, result.run.quarantined) == (4, 2)
    assert sum(item.rows for item in result.quarantined) == 2
    (landed,) = world.told("dataset.landed")
    assert (landed["rows"], landed["quarantined"]) == (4, 2)
    assert not any("quarantine" in str(key) for key in landed["objects"])  # type: ignore[attr-defined]  # a list
    document = run_document(result)
    assert "quarantined" not in document
    assert all(item["key"].startswith(RAW) for item in document["objects"])  # type: ignore[attr-defined]  # a list
    (run_file,) = (body for key, body in world.landing.objects.items() if RUNS in key)
    assert json.loads(run_file)["quarantined"] == 2
    assert world.puller().pull(world.dataset).run.quarantined == 0


def test_a_person_is_told_how_many_were_refused_and_where_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    result = world.puller().pull(world.dataset)
    pulling._print(result, as_json=False)
    told = capsys.readouterr().out
    assert "cats: 4 rows landed" in told
    assert "not as the contract of cats has them" in told
    assert "with the reason: 2 records" in told
    assert result.quarantined[0].key in told
    shown = runs.as_text(world.state.read("cats"), [result.run])
    head, line = shown.splitlines()[1:3]
    at = head.split().index("quarantined")
    assert line.split()[at + 1] == "2", "the start is two words"
    document = runs.as_document(world.state.read("cats"), [result.run])
    assert document["runs"][0]["quarantined"] == 2  # type: ignore[index]  # a list
    log = handler.told(DeliveryOutcome(is_done=True, result=result))
    assert (log["rows"], log["quarantined"]) == (4, 2)


def test_a_run_of_refused_records_only_moves_the_cursor_past_them() -> None:
    world = World()
    world.pages = [[TAILED]]
    result = world.puller().pull(world.dataset)
    assert (result.run.status, result.run.rows) == (RunStatus.LANDED, 0)
    assert (result.run.objects, result.run.quarantined) == (0, 1)
    assert world.quarantined() == [TAILED]
    assert world.state.read("cats").cursor.value == 4
    assert world.puller().pull(world.dataset).run.quarantined == 0


@pytest.mark.parametrize("at", [2, 4, 7])
def test_a_record_without_its_key_is_refused_once_wherever_it_stands(at: int) -> None:
    world = World()
    keyless = b'{"at":%d,"fur":"red"}' % at
    world.pages = [[GOOD[0], keyless, *GOOD[1:]]]
    assert world.puller().pull(world.dataset).run.quarantined == 1
    world.pages = [[keyless, *GOOD]]
    world.source = lambda *_: ListSource(world.pages)  # type: ignore[method-assign]  # it does not filter
    assert world.puller().pull(world.dataset).run.quarantined == 0
    assert world.lines(RAW) == GOOD
    assert world.quarantined() == [keyless]


@pytest.mark.parametrize(
    "broken", [b'{"error":"no"}', b'{"at":null}', b'{"at":"soon"}']
)
def test_a_record_with_neither_key_nor_cursor_is_refused_and_hinders_no_row(
    broken: bytes,
) -> None:
    world = World()
    world.source = lambda *_: ListSource([[broken, *GOOD, broken]])  # type: ignore[method-assign]  # as above
    run = world.puller().pull(world.dataset).run
    assert (run.rows, run.quarantined) == (4, 2)
    assert world.quarantined() == [broken, broken]


def test_a_frozen_contract_fails_the_run_and_lands_nothing() -> None:
    world = World(contract={"columns": "freeze"})
    result = world.puller().pull(world.dataset)
    assert result.run.status is RunStatus.FAILED
    assert result.run.error is not None
    assert (result.run.error.kind, result.run.quarantined) == ("schema", 0)
    assert "page 1" in result.run.error.message
    assert world.lines(RAW) == world.lines(QUARANTINE) == []
    state = world.state.read("cats")
    assert (state.cursor.value, state.observed) == (None, Observed())


def effects_of_a_pull() -> int:
    world = World(columns=None, contract={"columns": "discard_row"})
    faults = Faults()
    seeded(world)
    world.faulty(faults)
    world.puller().pull(world.dataset)
    return faults.seen


def seeded(world: World) -> None:
    """A dataset whose columns are known: one of them will be of another type."""
    known = Observed(columns={"id": "integer", "at": "integer", "fur": "boolean"})
    world.state.states["cats"] = DatasetState(dataset="cats", observed=known)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, effects_of_a_pull() + 1))
def test_a_death_at_any_effect_loses_and_doubles_no_refused_record_and_no_column(
    at: int, *, after: bool
) -> None:
    world = World(columns=None, contract={"columns": "discard_row"})
    seeded(world)
    world.faulty(Faults(at=at, after=after))
    with pytest.raises(Killed):
        world.puller().pull(world.dataset)
    world.faulty(Faults())
    world.puller().pull(world.dataset)
    assert world.lines(RAW) == GOOD
    assert Counter(world.quarantined()) == Counter(
        {b'{"id":8,"at":2,"tail":1}': 1, TAILED: 1}
    )
    assert len(world.landing.written) == len(set(world.landing.written))
    assert world.state.read("cats").observed.columns["fur"] == "variant"
    told = {
        (one["change"], one["column"]) for one in world.told("dataset.columns_changed")
    }
    assert told == {("new_column", "tail"), ("changed_type", "fur")}
    ids = Counter(str(one["id"]) for one in world.told("dataset.columns_changed"))
    assert len(ids) == 2
    (columns, *again) = world.told("dataset.columns_observed")
    assert columns["columns"] == world.state.read("cats").observed.columns
    assert all(one == columns for one in again)


def test_an_upload_of_refused_records_that_is_gone_voids_the_run() -> None:
    world = World()
    faults = Faults()
    world.faulty(faults)
    world.puller().pull(world.dataset)
    at = faults.names.index("complete upload") + 1
    world = World()
    world.faulty(Faults(at=at))
    with pytest.raises(Killed):
        world.puller().pull(world.dataset)
    world.faulty(Faults())
    world.landing.uploads.clear()
    Committer(
        landing=world.landing, state=world.state, events=world.events, clock=world.clock
    ).sweep()
    (voided,) = (
        run for run in world.state.runs.values() if run.status is RunStatus.VOIDED
    )
    assert (voided.rows, voided.quarantined) == (0, 0)
    assert world.state.read("cats").observed == Observed()
    world.puller().pull(world.dataset)
    assert (world.lines(RAW), len(world.quarantined())) == (GOOD, 2)


def test_a_past_window_adds_columns_and_tells_of_no_missing_ones() -> None:
    world = World(columns={"fur": "string", "eyes": "string"}, contract={})
    result = world.puller().pull(world.dataset, start=2, end=4)
    assert result.run.rows == 3
    assert world.told("dataset.columns_changed") == []
    assert "tail" in world.state.read("cats").observed.columns
    world.puller().pull(world.dataset)
    assert [one["column"] for one in world.told("dataset.columns_changed")] == ["eyes"]


def test_a_dataset_that_declares_its_columns_has_its_relation_left_alone() -> None:
    world = World(contract={})
    world.puller().pull(world.dataset)
    assert world.told("dataset.columns_observed") == []
    world = World(columns=None, contract={})
    world.puller().pull(world.dataset)
    assert len(world.told("dataset.columns_observed")) == 1
    world.puller().pull(world.dataset)
    assert len(world.told("dataset.columns_observed")) == 1


def test_what_is_seen_is_kept_in_a_file_as_well(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    world = World(columns=None)
    with FileState(path=path) as state:
        world.state = state  # type: ignore[assignment]  # the same port
        world.puller().pull(world.dataset)
    with FileState(path=path) as state:
        assert state.read("cats").observed.columns == {
            "id": "integer", "at": "integer", "fur": "string", "tail": "integer",
        }  # fmt: skip


def test_a_manifest_from_before_there_was_a_quarantine_is_still_read() -> None:
    world = World()
    world.faulty(Faults())
    manifest = Manifest(
        dataset="cats",
        run_id="20130101T050000.000Z-0123456789ab",
        objects=(),
        cursor_after=DatasetState(dataset="cats").cursor,
        write_disposition="merge",
    )
    document = json.loads(manifest_to_json(manifest))
    for name in ("quarantined", "observed_after", "relation_changes", "drift"):
        del document[name]
    assert manifest_from_json(json.dumps(document).encode()) == manifest
    full = dataclasses.replace(manifest, observed_after=Observed(columns={"a": "null"}))
    assert manifest_from_json(manifest_to_json(full)) == full


def test_what_is_news_of_the_columns_is_announced_with_exactly_this() -> None:
    world = World(columns=None, contract={})
    world.pages = [[b'{"id":1,"at":1}']]
    first = world.puller().pull(world.dataset).run
    world.pages = [[b'{"id":2,"at":2,"fur":"red"}']]
    second = world.puller().pull(world.dataset).run
    assert [one["id"] for one in world.told("dataset.columns_observed")] == [
        f"cats/{first.run_id}/columns",
        f"cats/{second.run_id}/columns",
    ]
    assert world.told("dataset.columns_observed")[-1] == {
        "id": f"cats/{second.run_id}/columns",
        "dataset": "cats",
        "run_id": second.run_id,
        "columns": {"id": "integer", "at": "integer", "fur": "string"},
        "started_at": second.started_at.isoformat(),
    }
    assert world.told("dataset.columns_changed") == [
        {
            "id": f"cats/{second.run_id}/new_column/{mark_of('fur')}",
            "dataset": "cats",
            "run_id": second.run_id,
            "change": "new_column",
            "column": "fur",
            "expected": None,
            "found": "string",
            "started_at": second.started_at.isoformat(),
        }
    ]
