"""What tables say of their changes to a session without a warehouse."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from lambdas.adapters.snowflake.change_marks import ChangeMarks
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.core.errors import ObjectMissing, WarehouseError
from lambdas.core.sql import names
from tests.local.snowflake.world import (
    DATABASE,
    READER,
    READER_ROLE,
    NoSecrets,
    World,
    dataset,
)


def asleep(world: World) -> SnowflakeWarehouse:
    return SnowflakeWarehouse(
        settings=world.settings(READER, READER_ROLE),
        secrets=NoSecrets(),
        connector=snowflake_connector,
        is_asleep=True,
    )


def test_a_mark_rises_with_each_change_of_its_table_and_of_no_other(
    world: World,
) -> None:
    cats, dogs = dataset("marked_cats"), dataset("marked_dogs")
    world.make(cats, dogs)
    table = names.raw_table(DATABASE, cats.name)
    with closing(asleep(world)) as session:
        marks = ChangeMarks(warehouse=session, database=DATABASE)

        def now() -> int:
            return marks.of([dogs.name, cats.name])[cats.name]

        first = marks.of([cats.name, dogs.name])
        world.load(cats, [json.dumps({"id": 1})])
        loaded = now()
        assert loaded > first[cats.name]
        world.load(cats, ["not json"])
        world.rows(cats)
        assert now() == loaded
        world.admin.query(f"UPDATE {table} SET _ROW = 2")
        updated = now()
        world.admin.query(f"DELETE FROM {table}")
        assert loaded < updated < now()
        assert marks.of([dogs.name]) == {dogs.name: first[dogs.name]}
        with pytest.raises(WarehouseError, match="warehouse"):
            session.query(f"SELECT COUNT(*) FROM {table}")


def test_a_table_that_a_role_may_not_read_does_not_tell(world: World) -> None:
    world.make(dataset("marked_here"))
    world.admin.query(f"CREATE TABLE IF NOT EXISTS {DATABASE}.RAW.UNSEEN (A NUMBER)")
    with closing(asleep(world)) as session:
        marks = ChangeMarks(warehouse=session, database=DATABASE)
        with pytest.raises(ObjectMissing):
            marks.of(["marked_here", "unseen"])
