from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdas.core.errors import WarehouseError
from local.aws.cloud import Cloud
from local.snowflake.process import EmbeddedSnowflake
from tests.local.snowflake.world import World

GONE_AFTER_S = 120.0


@pytest.fixture
def another_cloud(tmp_path: Path) -> Iterator[Cloud]:
    with Cloud(log_file=tmp_path / "cloud.log") as started:
        yield started


def test_the_server_ends_with_its_parent(another_cloud: Cloud) -> None:
    access_key, secret_key = another_cloud.administrator_keys()
    code = (
        "import os\n"
        "from local.snowflake.process import EmbeddedSnowflake\n"
        f"own = EmbeddedSnowflake({another_cloud.endpoint_url!r}, "
        f"access_key={access_key!r}, secret_key={secret_key!r})\n"
        "own.start()\n"
        "print(own._child.pid, flush=True)\n"
        "os._exit(1)\n"
    )
    parent = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    process = Path(f"/proc/{parent.stdout.strip()}/stat")

    give_up = time.monotonic() + GONE_AFTER_S
    while _runs(process) and time.monotonic() < give_up:
        time.sleep(0.1)

    assert parent.returncode == 1, parent.stderr
    assert not _runs(process)


def _runs(process: Path) -> bool:
    try:
        return process.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_stopping_twice_changes_nothing() -> None:
    never_started = EmbeddedSnowflake("http://127.0.0.1:1")
    never_started.stop()
    never_started.stop()


def test_a_naive_clock_is_refused(world: World) -> None:
    from datetime import datetime  # noqa: PLC0415 - the only naive time there is

    with pytest.raises(ValueError, match="aware"):
        world.snowflake.set_clock(datetime(2013, 1, 1))  # noqa: DTZ001 - on purpose


def test_what_goes_wrong_while_loading_is_not_swallowed() -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        EmbeddedSnowflake("http://127.0.0.1:1").start()


def test_what_lies_deep_in_a_variant_is_reached_by_its_path(world: World) -> None:
    rows = world.snowflake.administer(
        [
            """SELECT V['a']['b'][1]['c']::VARCHAR, V['a']['b'][0]::VARCHAR, V['a']['d']
        FROM (SELECT PARSE_JSON('{"a": {"b": ["x", {"c": "y"}], "d": 1}}') AS V)"""
        ]
    )
    assert [tuple(map(str, row)) for row in rows] == [("y", "x", "1")]


def test_what_duckdb_finds_wrong_is_an_error_of_the_statement(world: World) -> None:
    """A server that fails is asked again and again, and then seems out of reach."""
    with pytest.raises(WarehouseError, match="More than one row"):
        world.admin.query("SELECT (SELECT 1 UNION ALL SELECT 2)")


def test_of_what_is_no_array_flatten_makes_no_rows(world: World) -> None:
    flat = "LATERAL FLATTEN(input => PARSE_JSON(T.P)) F"
    rows = world.admin.query(
        f"SELECT T.P, F.INDEX FROM (SELECT COLUMN1 AS P FROM VALUES ('1'), ('[7, 8]')) "
        f"AS T, {flat} ORDER BY 2"
    )
    assert rows == [("[7, 8]", 0), ("[7, 8]", 1)]
