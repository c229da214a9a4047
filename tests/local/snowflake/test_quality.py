"""Every metric on tables that pass and fail by one row, through the real connector."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambdas.core.columns.observed import Observed
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.quality.ports import LandedPull
from lambdas.core.quality.result import DatasetChecks
from tests.checked import MemoryChecks, quality_checks
from tests.local.snowflake.world import READER, READER_ROLE, World, dataset
from tests.watched import MemoryIncidents

DOCS = Path(__file__).parents[3] / "docs/quality.md"
RUN = "20261128T070000.000Z-0123456789ab"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
COLUMNS = {
    "id": "integer",
    "at": "string",
    "name": {"type": "string", "personal": True},
    "price": "number",
    "day": "date",
    "ok": "boolean",
}
ROWS = [
    '{"id":1,"at":"EWR","name":"Ann","price":1.5,"day":"2026-11-01","ok":true}',
    '{"id":2,"at":"JFK","name":"","price":2,"day":"2026-11-02","ok":false}',
    '{"id":2,"at":"x JFK","name":null,"price":null,"day":"2026-11-03","ok":true}',
    '{"id":2,"at":null,"name":"N/A","price":20,"day":null,"ok":null}',
]


def checked(
    world: World,
    *datasets: Dataset,
    now: datetime = NOW,
    landed: dict[str, LandedPull] | None = None,
    store: MemoryChecks | None = None,
) -> MemoryChecks:
    """Their checks, run as the freshness function's role."""
    store = store or MemoryChecks(
        landed=landed or {},
        columns={one.name: Observed(columns=dict.fromkeys(one.columns or {}, "string"))
                 for one in datasets}
    )  # fmt: skip
    quality_checks(
        Catalogue(datasets={one.name: one for one in datasets}),
        warehouse=world.warehouse(READER, READER_ROLE),
        state=MemoryIncidents(),
        routes={},
        store=store,
        database="CATFLAP_TEST",
    ).check(is_awake=True, last_check_at=None, now=now)
    return store


CASES: list[tuple[dict[str, Any], float]] = [
    ({"metric": "rowCount"}, 4),
    ({"metric": "rowCount", "filter": "price > 1.5"}, 2),
    ({"metric": "nullValues", "column": "price"}, 1),
    ({"metric": "nullValues", "column": "price", "unit": "percent"}, 25),
    ({"metric": "nullValues", "column": "price", "filter": "ID = 1"}, 0),
    ({"metric": "missingValues", "column": "name"}, 2),
    ({"metric": "missingValues", "column": "name",
      "arguments": {"missingValues": [None, "", "N/A"]}}, 3),
    ({"metric": "duplicateValues", "column": "id"}, 2),
    ({"metric": "duplicateValues", "column": "id", "filter": "price is not null"}, 1),
    ({"metric": "duplicateValues", "column": "at"}, 0),
    ({"metric": "invalidValues", "column": "at", "validValues": ["EWR", "JFK"]}, 1),
    ({"metric": "invalidValues", "column": "at", "arguments": {"pattern": "JFK"}}, 1),
    ({"metric": "invalidValues", "column": "at",
      "arguments": {"pattern": r"^\w{3}$"}}, 1),
    ({"metric": "invalidValues", "column": "price",
      "arguments": {"validValues": [1.5, 20]}}, 1),
    ({"metric": "invalidValues", "column": "price", "arguments": {"min": 2}}, 1),
    ({"metric": "invalidValues", "column": "price",
      "arguments": {"min": 1.5, "max": 19.999}}, 1),
    ({"metric": "invalidValues", "column": "day",
      "arguments": {"min": "2026-11-02"}}, 1),
    ({"metric": "invalidValues", "column": "ok",
      "arguments": {"validValues": [True]}}, 1),
    ({"metric": "references", "column": "id",
      "arguments": {"dataset": "quality_ids"}}, 1),
    ({"metric": "references", "column": "id", "unit": "percent",
      "arguments": {"dataset": "quality_ids"}}, 25),
    ({"metric": "newColumns"}, 0),
    ({"metric": "missingColumns"}, 0),
    ({"query": "select count(*) from {table} where price > 2"}, 1),
    ({"query": "select count(*) from {table} -- all of them\n;", "unit": "percent"},
     100),
    ({"metric": "rowCount", "on": "run"}, 4),
    ({"query": "select max(id) from {table} where id < 2", "on": "run"}, 1),
]  # fmt: skip


def test_each_metric_counts_as_it_says_and_fails_by_one_row(world: World) -> None:
    rules = [
        {**check, "mustBe": value + off, "name": f"{number}_{off}"}
        for number, (check, value) in enumerate(CASES)
        for off in (0, 1)
    ]
    many = dataset("quality_many", columns=COLUMNS, quality=rules)
    ids = dataset("quality_ids", columns={"id": "integer"}, write_disposition="append")
    world.make(many, ids)
    world.load(many, ROWS)
    world.load(ids, ['{"id":2}'])

    results = checked(world, many, ids).kept["quality_many"]

    for number, (check, value) in enumerate(CASES):
        passes, fails = results.results[2 * number : 2 * number + 2]
        assert (passes.state, passes.value) == ("pass", value), (check, passes)
        assert fails.state == "fail", check
    rows = world.admin.query(
        "SELECT COUNT(*) FROM CATFLAP_TEST.RAW._CHECKS WHERE DATASET = 'quality_many'"
    )
    assert rows == [(2 * len(CASES),)]
    assert "Ann" not in str(results.samples)


def test_results_are_kept_for_400_days(world: World) -> None:
    one = dataset("quality_old", quality=[{"metric": "rowCount", "mustBe": 1}])
    world.make(one)
    world.load(one, ['{"id":1}'])
    days = "SELECT CHECKED_AT::DATE FROM CATFLAP_TEST.RAW._CHECKS WHERE DATASET = "
    days += "'quality_old' ORDER BY 1"
    store = checked(world, one)
    later = NOW + timedelta(days=401)
    world.load(one, ['{"id":1}'])
    checked(world, one, now=later, store=store)

    assert world.admin.query(days) == [(later.date(),)]


@pytest.mark.long
def test_of_a_million_rows_one_makes_each_check_fail(world: World) -> None:
    rules = [
        {"metric": "rowCount", "mustBe": 1_000_000},
        {"metric": "nullValues", "column": "at", "mustBe": 0},
        {"metric": "missingValues", "column": "at", "mustBe": 0},
        {"metric": "duplicateValues", "column": "id", "mustBe": 0},
        {"metric": "invalidValues", "column": "at", "arguments": {"pattern": "^E"}},
        {"metric": "references", "column": "at", "mustBe": 0,
         "arguments": {"dataset": "quality_few", "column": "at"}},
        {"query": "select count(*) from {table} where id < 0", "mustBe": 0},
    ]  # fmt: skip
    million = dataset(
        "quality_million",
        columns={"id": "integer", "at": "string"},
        write_disposition="append",
        quality=rules,
    )
    few = dataset("quality_few", columns={"at": "string"}, write_disposition="append")
    world.make(million, few)
    world.load(few, ['{"id":1,"at":"EWR"}'])
    digits = ", ".join(f"({digit})" for digit in range(10))
    sets = ", ".join(f"(VALUES {digits}) AS D{place}(N)" for place in range(6))
    number = " + ".join(f"D{place}.N * {10**place}" for place in range(6))
    world.admin.query(
        "INSERT INTO CATFLAP_TEST.RAW.QUALITY_MILLION "
        "(PAYLOAD, _FILE, _ROW, _RUN_ID, _EXTRACTED_AT, _LOADED_AT) SELECT "
        f'PARSE_JSON(\'{{"at":"EWR","id":\' || ({number}) || \'}}\'), '
        f"'f', 1, '{RUN}', "
        f"'{NOW.isoformat()}'::TIMESTAMP_TZ, '{NOW.isoformat()}'::TIMESTAMP_TZ "
        f"FROM {sets}"
    )

    results = checked(world, million, few).kept["quality_million"].results
    assert [one.state for one in results] == ["pass"] * len(rules)

    for bad in ('{"id":7,"at":"EWR"}', '{"id":-1,"at":null}', '{"id":-2,"at":"x"}'):
        world.load(million, [bad])
    results = checked(world, million, few).kept["quality_million"].results
    assert [(one.state, one.value) for one in results] == [
        ("fail", 1_000_003.0), ("fail", 1), ("fail", 1), ("fail", 1), ("fail", 1),
        ("fail", 1), ("fail", 2),
    ]  # fmt: skip


def test_a_table_of_no_rows_is_judged(world: World) -> None:
    rules = [
        {"metric": "nullValues", "column": "id", "mustBe": 0, "unit": "percent"},
        {"metric": "duplicateValues", "column": "id", "mustBe": 0},
    ]
    empty = dataset("quality_empty", columns=COLUMNS, quality=rules)
    world.make(empty)
    world.load(empty, ['{"id":1}'])
    world.admin.query("DELETE FROM CATFLAP_TEST.RAW.QUALITY_EMPTY WHERE _ROW > 0")

    assert "quality_empty" not in checked(world, empty).kept
    landed = {"quality_empty": LandedPull(run_id=RUN, rows=0)}
    kept = checked(world, empty, landed=landed).kept["quality_empty"]
    assert [(one.state, one.value) for one in kept.results] == [("pass", 0)] * 2


def test_three_that_cannot_run_are_unknown_and_the_rest_is_known(world: World) -> None:
    rules = [
        {"metric": "rowCount", "mustBe": 1},
        {"query": "select nosuch from {table}", "mustBe": 0, "name": "gone"},
        {"query": "select 1 / 0", "mustBe": 0, "name": "zero"},
        {"metric": "rowCount", "filter": "price like 1 2", "mustBe": 0, "name": "odd"},
        {"metric": "nullValues", "column": "id", "mustBe": 0},
    ]
    own = dataset("quality_own", columns=COLUMNS, quality=rules)
    world.make(own)
    world.load(own, ROWS[:1])

    states = [one.state for one in checked(world, own).kept["quality_own"].results]
    assert states == ["pass", "error", "error", "error", "pass"]


def test_a_weekday_is_compared_with_such_days_before(world: World) -> None:
    volume = dataset(
        "quality_volume",
        write_disposition="append",
        quality=[{"metric": "volume"}],
    )
    world.make(volume)
    days = [NOW - timedelta(weeks=week) for week in range(1, 9)]
    rows = [
        f'{{"id":{number},"time_hour":"{day.isoformat()}"}}'
        for day in days
        for number in range(40)
    ]
    world.load(volume, [*rows, f'{{"id":1,"time_hour":"{NOW.isoformat()}"}}'])

    (result,) = checked(world, volume).kept["quality_volume"].results
    assert (result.state, result.value) == ("fail", 1)
    assert result.must == "between 34 and 46, as on 8 such days before (median 40)"


@pytest.fixture
def documented() -> dict[str, Any]:
    """The example of the page."""
    (block,) = re.findall(r"```yaml\n(columns.*?)```", DOCS.read_text(), re.DOTALL)
    return dict(yaml.safe_load(block))


def test_the_example_of_the_page_runs(world: World, documented: dict[str, Any]) -> None:
    example = dataset("quality_page", **documented)
    world.make(example)
    world.load(example, ['{"id":1,"origin":"EWR","carrier":"AA","air_time":60}'])

    kept: DatasetChecks = checked(world, example).kept["quality_page"]
    assert [one.state for one in kept.results] == ["pass"] * len(documented["quality"])
