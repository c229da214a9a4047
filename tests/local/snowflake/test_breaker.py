"""The circuit breaker: what failed never shows, and what passed always does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.core.columns.observed import Observed
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.landing.names import new_run_id
from lambdas.core.quality.ports import LandedPull
from lambdas.core.quality.result import Release
from tests.checked import MemoryChecks, quality_checks
from tests.local.snowflake.world import (
    BUCKET,
    READER,
    READER_ROLE,
    STARTED,
    World,
    dataset,
)
from tests.watched import MemoryIncidents

NO_NULLS = {"metric": "nullValues", "column": "dep_delay", "mustBe": 0}


class Dam:
    """A dataset with a breaker, its runs, and a check after each load."""

    def __init__(self, world: World, name: str, **changes: Any) -> None:
        self.world = world
        self.dataset: Dataset = dataset(
            name, **{"circuit_breaker": True, "quality": [NO_NULLS]} | changes
        )
        world.make(self.dataset)
        self.now = STARTED
        self.state = MemoryIncidents()
        self.store = MemoryChecks(columns={name: Observed()})

    def run(self, rows: Sequence[tuple[int, float | None]]) -> str:
        """Load a run and its file."""
        self.now += timedelta(hours=1)
        lines = [json.dumps({"id": key, "dep_delay": delay}) for key, delay in rows]
        self.world.objects_landed += 1
        run_id = new_run_id(self.now, self.world.objects_landed.to_bytes(6))
        if lines:
            self.world.land(self.dataset, lines, started_at=self.now, run_id=run_id)
        document = {"run_id": run_id, "rows": len(rows)}
        self.world.cloud.client("s3").put_object(
            Bucket=BUCKET,
            Key=f"runs/{self.dataset.name}/{run_id}.json",
            Body=json.dumps(document).encode(),
        )
        self.world.snowflake.deliver()
        pull = LandedPull(run_id=run_id, rows=len(rows))
        self.store.landed[self.dataset.name] = pull
        return run_id

    def check(self, *others: Dam, now: datetime | None = None) -> list[str]:
        """What is said to engineers."""
        made = quality_checks(
            Catalogue(datasets={x.dataset.name: x.dataset for x in (self, *others)}),
            warehouse=self.world.warehouse(READER, READER_ROLE),
            state=self.state,
            routes={"engineers": ("sns",)},  # type: ignore[dict-item]  # by its value
            store=self.store,
            database="CATFLAP_TEST",
        ).check(is_awake=True, last_check_at=None, now=now or self.now)
        return [one.kind.value for one in made]

    def held(self) -> tuple[str, ...]:
        """The runs that are held back, as the last check remembers."""
        return self.store.remembered[self.dataset.name].held

    @property
    def shown(self) -> list[tuple[int, float | None]]:
        rows = self.world.view(self.dataset, "ID, DEP_DELAY")
        return [(int(key), delay) for key, delay in rows]


def test_a_run_shows_once_it_has_passed_and_never_if_it_failed(world: World) -> None:
    dam = Dam(world, "dam_append", write_disposition="append", freshness={})
    dam.run([(1, 1.0)])
    assert dam.shown == []
    assert dam.check() == []
    assert dam.shown == [(1, 1.0)]

    bad = dam.run([(2, None)])
    assert dam.shown == [(1, 1.0)]
    # rows are loaded by the wall clock here
    assert dam.check(now=datetime.now(UTC) + timedelta(minutes=1)) == ["opened"]
    assert dam.shown == [(1, 1.0)]
    (incident,) = dam.state.all.values()
    assert f"held back, and not shown: run {bad}" in incident.evidence
    assert f"--release {bad}" in incident.next_step
    load = dam.store.remembered["dam_append"]
    assert (load.held, load.waiting) == ((bad,), ())
    (newest,) = world.view(dam.dataset, "MAX(_LOADED_AT)")
    assert load.shown_until == newest[0]

    dam.run([(3, 3.0)])
    assert dam.check() == ["resolved"]
    assert dam.shown == [(1, 1.0), (3, 3.0)]

    wanted = Release(dataset="dam_append", run_id=bad, by="mia", at=dam.now)
    dam.store.wanted.append(wanted)
    dam.check()
    assert dam.shown == [(1, 1.0), (2, None), (3, 3.0)]
    assert dam.store.wanted == []


def test_a_held_row_does_not_hide_the_good_one_below_it(world: World) -> None:
    dam = Dam(world, "dam_merge", write_disposition="merge")
    dam.run([(1, 1.0), (2, 2.0)])
    dam.check()
    dam.run([(1, None)])
    dam.check()

    assert dam.shown == [(1, 1.0), (2, 2.0)]


ODD = {
    "query": "select nosuch from {table}",
    "mustBe": 0,
    "name": "odd",
    "severity": "warn",
}


@pytest.mark.parametrize("good", [[(1, 1.0)], []])
def test_what_is_held_back_stays_told_while_other_checks_are_tried_again(
    world: World, good: list[tuple[int, float | None]]
) -> None:
    """What shows without it is well, or empty: neither is news, nor the end."""
    name = f"dam_again_{len(good)}"
    filled = {"metric": "rowCount", "mustBeGreaterThan": 0}
    checks = [NO_NULLS, ODD, filled]
    dam = Dam(world, name, quality=checks, write_disposition="append")
    if good:
        dam.run(good)
        dam.check()
    bad = dam.run([(2, None)])
    assert dam.check() == ["opened"]
    told = dam.state.all.copy()
    for _ in range(3):
        dam.now += timedelta(hours=1)
        assert dam.check() == []
    assert dam.state.all == told
    load = dam.store.remembered[name]
    assert (load.held, load.failing, load.unknown) == (
        (bad,), ("nullValues_dep_delay",), ("odd",),
    )  # fmt: skip
    dam.run([(3, 3.0)])
    assert dam.check() == ["resolved"]


def test_what_refers_to_a_dataset_is_checked_against_what_its_breaker_shows(
    world: World,
) -> None:
    """Whatever their names: rows of both came since the last look."""
    to_parent = {
        "metric": "references",
        "column": "id",
        "arguments": {"dataset": "dam_parent", "column": "id"},
        "mustBe": 0,
    }
    child = Dam(
        world, "dam_child", quality=[to_parent], write_disposition="append",
        circuit_breaker=False,
    )  # fmt: skip
    parent = Dam(world, "dam_parent", write_disposition="append")
    parent.store.columns |= child.store.columns
    child.store, child.state = parent.store, parent.state
    parent.run([(1, 1.0)])
    child.run([(1, 1.0)])
    assert child.check(parent) == []

    bad = parent.run([(2, None)])
    child.run([(2, 1.0)])
    assert child.check(parent) == ["opened", "opened"]
    wanted = Release(dataset="dam_parent", run_id=bad, by="mia", at=parent.now)
    parent.store.wanted.append(wanted)
    # what it refers to is there now, though it got no rows itself
    assert child.check(parent) == ["resolved"]
    (left,) = [one for one in child.state.all.values() if one.resolved_at is None]
    assert left.dataset == "dam_parent"


def test_of_several_runs_only_those_that_failed_are_held(world: World) -> None:
    dam = Dam(world, "dam_several", write_disposition="append")
    dam.run([(1, 1.0)])
    dam.run([(2, None)])
    dam.run([(3, 3.0)])
    dam.check()

    assert dam.shown == [(1, 1.0), (3, 3.0)]


def test_each_pull_is_looked_at_where_a_check_is_of_its_rows(world: World) -> None:
    of_run = [NO_NULLS | {"on": "run"}]
    dam = Dam(world, "dam_by_run", quality=of_run, write_disposition="append")
    dam.run([(1, None)])
    dam.run([(2, 2.0)])
    dam.check()

    assert dam.shown == [(2, 2.0)]


@pytest.mark.parametrize("disposition", ["append", "merge"])
def test_a_run_is_not_blamed_for_what_shows_without_it(
    world: World, disposition: str
) -> None:
    dam = Dam(world, f"dam_blame_{disposition}", write_disposition=disposition)
    bad = dam.run([(1, None)])
    dam.check()
    name = dam.dataset.name
    dam.store.wanted.append(Release(dataset=name, run_id=bad, by="mia", at=dam.now))
    dam.check()
    dam.run([(2, 2.0)])
    dam.run([(3, None)])
    dam.check()

    assert dam.shown == [(1, None), (2, 2.0)]


def test_a_pull_that_replaces_is_to_blame_for_all_its_rows(world: World) -> None:
    dam = Dam(world, "dam_blame_replace", write_disposition="replace", primary_key=[])
    bad = dam.run([(1, None)])
    dam.check()
    name = dam.dataset.name
    dam.store.wanted.append(Release(dataset=name, run_id=bad, by="mia", at=dam.now))
    dam.run([(2, None)])
    dam.check()

    assert dam.shown == [(1, None)]


def test_a_pull_that_replaces_by_nothing_is_judged_as_well(world: World) -> None:
    dam = Dam(world, "dam_empty", write_disposition="replace", primary_key=[])
    dam.run([(1, 1.0)])
    dam.check()
    dam.run([])
    dam.check()

    assert dam.shown == []


def test_a_pull_that_replaces_waits_as_a_whole(world: World) -> None:
    dam = Dam(world, "dam_replace", write_disposition="replace", primary_key=[])
    dam.run([(1, 1.0)])
    dam.check()
    dam.run([(1, 2.0), (2, None)])
    dam.check()
    assert dam.shown == [(1, 1.0)]
    assert dam.held() != ()

    dam.run([(5, 5.0)])
    dam.check()
    assert dam.shown == [(5, 5.0)]
    # what was held back is replaced as well, and nothing of it is left to show
    assert dam.held() == ()
    bad = dam.run([(6, None)])
    dam.check()
    assert dam.held() == (bad,)


def test_what_could_not_be_checked_shows_after_its_time(world: World) -> None:
    odd = {"query": "select nosuch from {table}", "mustBe": 0, "name": "odd"}
    dam = Dam(world, "dam_unknown", write_disposition="append")
    dam.dataset = dam.dataset.model_copy(
        update={
            "quality": dataset("x", quality=[odd]).quality,
            "circuit_breaker": dataset(
                "x", circuit_breaker={"hold_at_most": {"count": 2, "period": "hour"}}
            ).circuit_breaker,
        }
    )
    dam.run([(1, 1.0)])
    dam.check()
    assert dam.shown == []
    assert dam.store.remembered["dam_unknown"].waits

    dam.check(now=datetime.now(STARTED.tzinfo) + timedelta(hours=3))
    assert dam.shown == [(1, 1.0)]


def test_what_was_there_before_the_breaker_stays(world: World) -> None:
    plain = dataset("dam_before", write_disposition="append")
    world.make(plain)
    world.load(plain, ['{"id":1,"dep_delay":null}'])
    dam = Dam(world, "dam_before", write_disposition="append")
    assert dam.shown == [(1, None)]

    world.make(dam.dataset)
    dam.run([(2, 2.0)])
    world.make(dam.dataset)
    assert dam.shown == [(1, None)]


@pytest.mark.parametrize("disposition", ["append", "merge"])
def test_a_run_without_all_its_rows_waits(world: World, disposition: str) -> None:
    dam = Dam(world, f"dam_half_{disposition}", write_disposition=disposition)
    run_id = dam.run([(1, 1.0)])
    document = json.dumps({"run_id": run_id, "rows": 2, "amendment": 1}).encode()
    world.cloud.client("s3").put_object(
        Bucket=BUCKET,
        Key=f"runs/{dam.dataset.name}/{run_id}-a00001.json",
        Body=document,
    )
    world.snowflake.deliver()
    dam.check()

    assert dam.shown == []
