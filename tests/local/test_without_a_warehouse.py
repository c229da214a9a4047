"""Judged by what landed, once an account has shown that this wakes no warehouse."""

from __future__ import annotations

from datetime import timedelta

from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.freshness.watch import Watch
from tests.local.embedded_world import FRESHNESS, World
from tests.local.shell import Shell

HALF_AN_HOUR = timedelta(minutes=30)


def watched(world: World) -> Watch:
    state = IncidentTable(
        dynamodb=world.stack.cloud.client("dynamodb"),
        table=world.function(FRESHNESS).environment["STATE_TABLE"],
    )
    watch = state.watch("flights")
    assert watch is not None
    return watch


def test_what_landed_tells_of_tables_that_changed_with_it(shell: Shell) -> None:
    """Of two looks the first reads the tables: no mark of theirs is known."""
    world = shell.world
    world.advance(HALF_AN_HOUR)
    world.check()
    world.advance(3 * HALF_AN_HOUR)
    _, found = shell.json("doctor")
    (asked,) = [one for one in found if one["what"] == "pipes without a warehouse"]
    assert asked["state"] == "ok", asked
    assert watched(world).change_mark is None
    looks = []
    for _ in range(10):
        world.advance(HALF_AN_HOUR)
        told = world.check()
        if told["due"]:
            looks.append((told["wake_ups"], told["suspects"], watched(world)))
    assert [look[:2] for look in looks] == [(1, 0), (0, 0), (0, 0)]
    marks = [watch.change_mark for *_, watch in looks if watch.change_mark is not None]
    assert len(marks) == len(set(marks)) == len(looks)
    assert marks == sorted(marks)
    assert len({watch.read_at for *_, watch in looks}) == 1
