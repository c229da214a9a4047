"""What must hold once the weather is over, whatever happened before."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from msgspec.json import decode as from_json

from lambdas.adapters.state.runs import StateTable, run_from_item
from lambdas.core.landing.names import EDGES, RAW
from lambdas.core.pull.run import Run, RunStatus
from lambdas.core.pull.slice import has_landed
from tests.soak.faults import Fault
from tests.soak.simulation import Simulation

EDGE_BYTES = 20
"""Of each row in a remembered edge."""


def check(simulation: Simulation) -> None:
    """Note every promise that was broken as a violation."""
    states = {
        sk: item
        for (_, sk), item in simulation.dynamodb.items.items()
        if sk == "STATE" or sk.startswith("LANE#")
    }
    if any("committing" in state for state in states.values()):
        _stuck(simulation)
    else:
        if any("resume" in state for state in states.values()):
            simulation.world.violated("a long pull was never ended")
        _slices_landed(simulation)
        _everything_landed(simulation)
    _once_in_the_table(simulation)
    runs = [
        run_from_item(item)
        for (_, sk), item in simulation.dynamodb.items.items()
        if sk.startswith(("RUN#", "LANERUN#"))
    ]
    _runs_are_whole(simulation, runs)
    _runs_are_watched(simulation, runs)
    _failures_are_visible(simulation, runs)
    _edges_are_kept(simulation, list(states.values()))
    if simulation.checker is not None:
        for broken in simulation.checker.broken():
            simulation.world.violated(broken)
    if simulation.queues.waiting:
        simulation.world.violated(f"still queued: {simulation.queues.waiting}")
    if simulation.s3.uploads:
        simulation.world.violated("uploads that no rule expires")


def _stuck(simulation: Simulation) -> None:
    """Only half visible runs may wait for a person, and the person is told."""
    told = [error for error in simulation.errors if "half visible" in str(error)]
    if told:
        simulation.world.counts["half visible, told"] += 1
    else:
        simulation.world.violated("a recorded run was never finished, nobody was told")


def _slices_landed(simulation: Simulation) -> None:
    """Each slice of a backfill is whole, says so, and brought what was there when it
    was asked for.
    """
    items, world = simulation.dynamodb.items, simulation.world
    table = StateTable(
        dynamodb=simulation.dynamodb,  # type: ignore[arg-type]  # the calls made
        table="state",
    )
    runs = [
        run_from_item(item)
        for (_, sk), item in items.items()
        if sk.startswith("LANERUN#")
    ]
    brought = {
        row for run in runs for row in simulation.landed_by.get(run.run_id, set())
    }
    for asked in simulation.backfills.asked.values():
        for part in asked.parts:
            lane = table.read(part.state_name)
            if not has_landed(lane, part) or lane.lane is None:
                world.violated(f"slice {part.lane} never landed")
                continue
            world.counts["slices landed"] += 1
            its = [run for run in runs if run.run_id in lane.lane.runs]
            if sum(run.rows for run in its) != lane.lane.rows:
                world.violated(f"slice {part.lane} counts {lane.lane.rows} rows")
            if any(run.status is not RunStatus.LANDED for run in its):
                world.violated(f"slice {part.lane} names a run that has not landed")
        rows = simulation.upstream.rows
        missing = {
            row for row in asked.rows if rows[row[0]].version == row[1]
        } - brought
        if missing:
            world.violated(f"no slice brought {missing}")


def _everything_landed(simulation: Simulation) -> None:
    rows = simulation.upstream.rows.values()
    missing = [
        (row.number, row.version) for row in rows if not simulation.is_there(row)
    ]
    if missing:
        simulation.world.violated(f"neither landed nor quarantined: {missing}")
    expected = {
        row.number: row.version
        for row in rows
        if not (simulation.discards and row.is_odd)
    }
    keyless = simulation.upstream.keyless & set(simulation.quarantined)
    expected = {
        number: version
        for number, version in expected.items()
        if (number, version) not in keyless or simulation.landed[number, version]
    }
    refused = {row for row in simulation.quarantined if row[0] in expected} - keyless
    if refused:
        simulation.world.violated(f"quarantined for nothing: {refused}")
    newest = simulation.pipe.newest()
    wrong = {
        number: (newest.get(number), version)
        for number, version in expected.items()
        if newest.get(number) != version
    }
    if wrong and not missing:
        simulation.world.violated(f"the view shows (shown, upstream's): {wrong}")


def _once_in_the_table(simulation: Simulation) -> None:
    if simulation.pipe.rows() != simulation.landed:
        difference = simulation.pipe.rows()
        difference.subtract(simulation.landed)
        odd = {row: n for row, n in difference.items() if n}
        simulation.world.violated(f"table and landed set differ by {odd}")


def _runs_are_whole(simulation: Simulation, runs: list[Run]) -> None:
    """Whoever landed says so in its run file and by an event; nobody else does."""
    world = simulation.world
    complete = simulation.pipe.complete
    announced = simulation.bus.heard("dataset.landed")
    landed = {
        run.run_id for run in runs if run.status is RunStatus.LANDED and run.objects
    }
    if landed - set(complete):
        world.violated(f"landed without a run file: {landed - set(complete)}")
    if landed - announced:
        world.violated(f"landed without an event: {landed - announced}")
    counted = sum(run.quarantined for run in runs if run.status is RunStatus.LANDED)
    kept = simulation.quarantined.total()
    if counted != kept and not world.counts["half visible, told"]:
        world.violated(f"{kept} records are quarantined, runs tell of {counted}")
    if simulation.style is not None and simulation.style.has_nulls:
        for run in runs:
            if run.status is RunStatus.LANDED and run.rows and not run.quarantined:
                world.violated(f"{run.run_id} kept no null of its pages")
    told: Counter[str] = Counter()
    for document in complete.values():
        objects = document["objects"]
        assert isinstance(objects, list)
        told.update(item["key"] for item in objects)
    there = {key for key in simulation.s3.objects if key.startswith(RAW)}
    if set(told) - there:
        world.violated(f"in a run file and not there: {set(told) - there}")
    if there - set(told) and not world.counts["half visible, told"]:
        world.violated(f"there and in no run file: {there - set(told)}")


def _runs_are_watched(simulation: Simulation, runs: list[Run]) -> None:
    """What has landed is watched until it is loaded, and nothing of it expires soon."""
    soon = (simulation.world.now() + timedelta(days=30)).timestamp()
    for run in runs:
        marker = simulation.dynamodb.items.get(
            ("LANDED", f"{run.dataset}#{run.run_id}")
        )
        if run.status is not RunStatus.LANDED or not run.objects:
            continue
        if marker is None:
            simulation.world.violated(f"nobody watches whether {run.run_id} is loaded")
        elif int(marker["expires_at"]["N"]) < soon:
            simulation.world.violated(f"{run.run_id} is watched for too short a time")


def _edges_are_kept(simulation: Simulation, states: list[dict[str, Any]]) -> None:
    """Spilled edges are there as long as a state points to them, and few are left over:
    by whoever died after the state had moved on, or conflicted before.
    """
    world, shape = simulation.world, simulation.shape
    wanted: set[str] = set()
    for state in states:
        reached = (
            from_json(state["resume"]["S"])["reached"] if "resume" in state else {}
        )
        wanted |= {state.get("edge_key", {}).get("S"), reached.get("edge_key")} - {None}
        kept = len(state.get("remembered", {}).get("B", b"")) // EDGE_BYTES
        if kept > shape.edge_in_state:
            world.violated(f"the state holds an edge of {kept}")
    there = {key for key in simulation.s3.objects if key.startswith(EDGES)}
    if wanted - there:
        world.violated(f"edges are gone: {wanted - there}")
    causes = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER, "errors raised")
    excuses = sum(world.counts[cause] for cause in (*causes, "runs ended voided"))
    if len(there - wanted) > 2 * excuses:  # a segment has two
        world.violated(f"{len(there - wanted)} edges are left over")


def _failures_are_visible(simulation: Simulation, runs: list[Run]) -> None:
    world = simulation.world
    announced = simulation.bus.heard("pull.failed")
    for run in runs:
        world.counts[f"runs ended {run.status.value}"] += 1
        is_bad = run.status in (RunStatus.VOIDED, RunStatus.FAILED)
        if is_bad and run.run_id not in announced:
            world.violated(f"run {run.run_id} {run.status} and nobody was told")
        if run.status is RunStatus.VOIDED and not _is_blank(run):
            world.violated(f"run {run.run_id} was voided and tells of rows: {run}")
        if (
            run.status is RunStatus.COMMITTING
            and not world.counts["half visible, told"]
        ):
            world.violated(f"run {run.run_id} is still committing")


def _is_blank(run: Run) -> bool:
    """Whether a run says that nothing of it is there, and why."""
    figures = (run.rows, run.size, run.objects, run.quarantined)
    stays = run.cursor_after == run.cursor_before
    return not any(figures) and run.newest_key is None and stays and bool(run.error)
