from __future__ import annotations

import pytest

from lambdas.core.errors import AccessRefused, ObjectMissing, WarehouseUnreachable
from lambdas.core.sql import copy_history, freshness_query, names, pipe_status
from tests.local.snowflake.world import (
    ADMIN,
    ADMIN_ROLE,
    DATABASE,
    READER,
    READER_ROLE,
    STARTED,
    World,
    dataset,
)


def test_the_reader_sees_what_it_was_granted_and_nothing_else(world: World) -> None:
    flights = dataset("granted")
    world.make(flights)
    world.admin.query(f"CREATE TABLE IF NOT EXISTS {DATABASE}.RAW.PRIVATE (A NUMBER)")
    reader = world.warehouse(READER, READER_ROLE)
    table = names.raw_table(DATABASE, "granted")

    assert reader.query(f"SELECT COUNT(*) FROM {table}") == [(0,)]
    assert reader.query(copy_history(DATABASE, "granted", STARTED)) == []
    assert "RUNNING" in str(reader.query(pipe_status(world.pipe(flights))))
    view = f"{DATABASE}.CATFLAP.FRESHNESS_0"
    assert reader.query(freshness_query(view, ["granted"]))[0][0] == "granted"
    with pytest.raises(ObjectMissing):
        reader.query(f"SELECT * FROM {DATABASE}.RAW.PRIVATE")
    for refused in (
        f"DELETE FROM {table}",
        f"DROP PIPE {world.pipe(flights)}",
        f"ALTER PIPE {world.pipe(flights)} SET PIPE_EXECUTION_PAUSED = TRUE",
    ):
        with pytest.raises(AccessRefused, match="3001"):
            reader.query(refused)
    reader.close()


def test_a_dropped_table_takes_its_grants_with_it(world: World) -> None:
    flights = dataset("dropped")
    world.make(flights)
    table = names.raw_table(DATABASE, "dropped")
    reader = world.warehouse(READER, READER_ROLE)
    with pytest.raises(AccessRefused):
        reader.query(f"DROP TABLE {table}")

    world.admin.query(f"DROP TABLE {table}")
    world.admin.query(f"CREATE TABLE {table} (A NUMBER)")

    with pytest.raises(ObjectMissing):
        reader.query(f"SELECT COUNT(*) FROM {table}")
    reader.close()
    world.admin.query(f"DROP TABLE {table}")
    world.make(flights)


def test_a_grant_taken_back_is_gone(world: World) -> None:
    flights = dataset("taken_back")
    world.make(flights)
    table = names.raw_table(DATABASE, "taken_back")
    reader = world.warehouse(READER, READER_ROLE)
    reader.query(f"SELECT COUNT(*) FROM {table}")

    world.admin.query(f"REVOKE SELECT ON TABLE {table} FROM ROLE {READER_ROLE}")

    with pytest.raises(ObjectMissing):
        reader.query(f"SELECT COUNT(*) FROM {table}")
    reader.close()


def test_an_aws_role_signs_in_as_its_own_user_only(world: World) -> None:
    made = (
        "CREATE USER IF NOT EXISTS SOMEBODY TYPE = SERVICE WORKLOAD_IDENTITY = "
        "(TYPE = AWS ARN = 'arn:aws:iam::123456789012:role/somebody-else')"
    )
    world.snowflake.administer([made])

    with pytest.raises(WarehouseUnreachable, match="SOMEBODY"):
        world.warehouse("SOMEBODY", READER_ROLE).query("SELECT 1")


def test_an_attestation_with_false_keys_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAXXXXXXXXXXXXXXXX")
    monkeypatch.delenv("AWS_SESSION_TOKEN")

    with pytest.raises(WarehouseUnreachable):
        world.warehouse(ADMIN, ADMIN_ROLE).query("SELECT 1")
