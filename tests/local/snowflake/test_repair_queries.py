"""The statements that repair, in the embedded Snowflake, under the repairer's role."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta

import pytest

from lambdas.adapters.snowflake.pipes import Pipes
from lambdas.core.dataset import Dataset
from lambdas.core.errors import AccessRefused, ObjectMissing, WarehouseError
from lambdas.core.landing.names import (
    amendment_key,
    file_name,
    marked_key,
    new_run_id,
    run_key,
)
from lambdas.core.sql import access, names
from lambdas.core.sql import repair as repairing
from tests.local.snowflake.world import (
    BUCKET,
    DATABASE,
    READER_ROLE,
    REPAIRER,
    REPAIRER_ROLE,
    STARTED,
    World,
    dataset,
)

HOUR = timedelta(hours=1)


def put_run(
    world: World, each: Dataset, run_id: str, rows: int, *, amendment: int = 0
) -> None:
    """A run's file, or an amendment of it."""
    key = (
        amendment_key(each.name, run_id, amendment)
        if amendment
        else run_key(each.name, run_id)
    )
    body = {"dataset": each.name, "run_id": run_id, "rows": rows, "is_last": True}
    if amendment:
        body["amendment"] = amendment
    world.cloud.client("s3").put_object(
        Bucket=BUCKET, Key=key, Body=json.dumps(body).encode()
    )


def pulled(world: World, each: Dataset, at: datetime, ids: list[int]) -> str:
    """A whole pull of a `replace`; its run's id."""
    run_id = new_run_id(at, abs(hash((each.name, at))).to_bytes(8)[:6])
    world.land(each, [f'{{"id":{one}}}' for one in ids], run_id=run_id)
    put_run(world, each, run_id, len(ids))
    world.snowflake.deliver()
    return run_id


def test_a_pull_of_which_rows_were_refused_is_shown_by_its_amendment(
    world: World,
) -> None:
    cats = dataset("amended", write_disposition="replace")
    world.make(cats)
    pulled(world, cats, STARTED, [1, 2])
    run_id = new_run_id(STARTED + HOUR, b"second")
    key = world.load(cats, ['{"id":3}', '{"id":4,"id":5}'], run_id=run_id)
    put_run(world, cats, run_id, 2)
    world.land(cats, ['{"id":3}'], run_id=run_id, part=1)  # taken already: ignored
    again = marked_key(key, "r1")
    copy = world.cloud.client("s3")
    copy.put_object(Bucket=BUCKET, Key=again, Body=gzip.compress(b'{"id":3}\n'))
    world.snowflake.deliver()
    assert world.view(cats, "ID") == [(1,), (2,)]

    put_run(world, cats, run_id, 1, amendment=1)
    world.snowflake.deliver()
    assert world.view(cats, "ID") == [(3,)]


def test_old_runs_go_and_what_is_shown_stays(world: World) -> None:
    cats = dataset("pruned", write_disposition="replace", retention={"runs": 2})
    world.make(cats)
    for hour in range(4):
        pulled(world, cats, STARTED + hour * HOUR, [hour, hour + 10])
    unfinished = new_run_id(STARTED + 5 * HOUR, b"halfwy")
    world.load(cats, ['{"id":99}'], run_id=unfinished)
    repairer = world.warehouse(REPAIRER, REPAIRER_ROLE)

    shown = world.view(cats, "ID")
    repairer.query(repairing.delete_old_runs(DATABASE, cats))
    assert world.view(cats, "ID") == shown == [(3,), (13,)]
    assert world.rows(cats, "PAYLOAD:id::INT") == [(2,), (3,), (12,), (13,), (99,)]
    repairer.query(repairing.delete_old_runs(DATABASE, cats))
    assert world.rows(cats) == [(5,)]
    repairer.close()


def test_with_fewer_whole_pulls_than_are_kept_nothing_goes(world: World) -> None:
    cats = dataset("few", write_disposition="replace", retention={"runs": 3})
    world.make(cats)
    for hour in range(2):
        pulled(world, cats, STARTED + hour * HOUR, [hour])
    world.admin.query(repairing.delete_old_runs(DATABASE, cats))
    assert world.rows(cats) == [(2,)]


def test_the_repairer_may_do_what_it_is_for_and_nothing_else(world: World) -> None:
    cats = dataset("mended")
    world.make(cats)
    key = world.load(cats, ['{"id":1}'])
    repairer = world.warehouse(REPAIRER, REPAIRER_ROLE)
    pipes = Pipes(warehouse=repairer)
    now = pipes.now(world.pipe(cats))
    assert (now.state, now.pending, now.last_ingested) == (
        "RUNNING", 0, file_name(key),
    )  # fmt: skip
    assert now.channel is not None
    assert pipes.created_at(world.pipe(cats)) is not None
    rows = repairer.query(
        repairing.rows_of_files(DATABASE, "mended", [file_name(key), "none"])
    )
    assert rows == [(file_name(key), 1, 1, 1)]
    assert pipes.refresh(world.pipe(cats), ["dt=2013-01-01/"], STARTED) == 0
    for refused in (
        f"DELETE FROM {names.raw_table(DATABASE, 'mended')}",
        f"UPDATE {names.raw_table(DATABASE, 'mended')} SET _FILE = 'x'",
        f"DROP PIPE {world.pipe(cats)}",
    ):
        with pytest.raises((AccessRefused, ObjectMissing)):
            repairer.query(refused)
    repairer.close()


def test_a_pipe_that_may_load_in_part_is_told_from_the_others(world: World) -> None:
    for name in ("whole", "parted"):
        world.make(dataset(name))
    repairer = world.warehouse(REPAIRER, REPAIRER_ROLE)
    whole, parted = (world.pipe(dataset(name)) for name in ("whole", "parted"))
    runs = names.runs_pipe(DATABASE)
    assert {whole, parted, runs} <= Pipes(warehouse=repairer).loading_whole(DATABASE)

    described = world.admin.query(f"DESC PIPE {parted}")[0]
    world.admin.query(f"DROP PIPE {parted}")
    world.admin.query(
        f"CREATE PIPE {parted} AS "
        + str(described[4]).replace("ON_ERROR = SKIP_FILE", "ON_ERROR = CONTINUE")
    )
    for grant in access.pipe_grants(parted, reader=READER_ROLE, repairer=REPAIRER_ROLE):
        world.admin.query(grant)
    found = Pipes(warehouse=repairer).loading_whole(DATABASE)
    assert {whole, runs} <= found
    assert parted not in found
    repairer.close()


def test_a_pipe_with_a_select_has_no_validation(world: World) -> None:
    cats = dataset("validated")
    world.make(cats)
    with pytest.raises(WarehouseError, match="transforms data"):
        world.admin.query(
            "SELECT * FROM TABLE(INFORMATION_SCHEMA.VALIDATE_PIPE_LOAD(PIPE_NAME => "
            f"'{world.pipe(cats)}', START_TIME => '2013-01-01'::TIMESTAMP_LTZ))"
        )


def test_keys_are_counted_and_deleted_by_all_their_parts(world: World) -> None:
    cats = dataset("keyed", primary_key=["id", "of.who"])
    world.make(cats)
    lines = ['{"id":1,"of":{"who":"a\'b"}}', '{"id":1,"of":{"who":"c"}}']
    world.load(cats, lines)
    keys = [("1", "a'b"), ("2", "c")]
    assert world.admin.query(repairing.count_keys(DATABASE, cats, keys)) == [(1,)]
    world.admin.query(repairing.delete_keys(DATABASE, cats, keys))
    assert world.rows(cats, "PAYLOAD") == [(lines[1],)]


def test_a_key_is_one_number_with_and_without_a_point_and_a_run_counts_what_stays(
    world: World,
) -> None:
    cats = dataset("erased", write_disposition="replace", primary_key=["id"])
    world.make(cats)
    first = new_run_id(STARTED, b"first0")
    second = new_run_id(STARTED + HOUR, b"second")
    world.load(
        cats,
        [
            '{"id":4711}',
            '{"id":4711.0}',
            '{"id":"4711"}',
            '{"id":"4711.0"}',
            '{"id":4}',
        ],
        run_id=first,
    )
    world.load(cats, ['{"id":4711}'], run_id=second)
    keys = [("4711",)]
    left = {
        str(run): (str(file).rpartition("/")[2].startswith(str(run)), int(str(rows)))
        for run, file, rows in world.admin.query(
            repairing.rows_left(DATABASE, cats, keys)
        )
    }
    assert left == {first: (True, 2), second: (True, 0)}
    world.admin.query(repairing.delete_keys(DATABASE, cats, keys))
    assert world.admin.query(repairing.count_keys(DATABASE, cats, keys)) == [(0,)]
    assert world.rows(cats) == [(2,)]
