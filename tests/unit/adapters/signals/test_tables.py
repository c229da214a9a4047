"""Reading many tables: few statements, and nobody blinded by somebody else's table."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.adapters.signals.tables import STATEMENTS, TableReader
from lambdas.core.errors import AccessRefused, ObjectMissing, WarehouseError
from lambdas.core.sql.freshness import create_freshness_view
from lambdas.core.sql.tables import tables_query
from tests.watched import HOUR, NOW, FakeTable, FakeWarehouse

SKEW = timedelta(minutes=5)


def reader(warehouse: FakeWarehouse) -> TableReader:
    return TableReader(
        warehouse=warehouse, database="DB", datasets=list(warehouse.tables), skew=SKEW
    )


def many(count: int) -> dict[str, FakeTable | WarehouseError]:
    return {f"t{number}": FakeTable(NOW - HOUR, NOW) for number in range(count)}


def test_a_thousand_tables_are_two_statements() -> None:
    warehouse = FakeWarehouse(many(1000))
    tables = reader(warehouse)
    read = tables.read(list(warehouse.tables), now=NOW)
    assert tables.statements == warehouse.statements == 2
    assert {item.read for item in read.values()} == {"ok"}
    assert len(read) == 1000


def test_only_what_is_asked_for_is_read() -> None:
    warehouse = FakeWarehouse(many(1000))
    read = reader(warehouse).read(["t3", "t4"], now=NOW)
    assert sorted(read) == ["t3", "t4"]
    assert reader(warehouse).read([], now=NOW) == {}


@given(
    st.sets(st.integers(0, 59), max_size=6),
    st.sets(st.integers(0, 59), max_size=6),
)
def test_bad_tables_hide_no_good_one(missing: set[int], denied: set[int]) -> None:
    tables = many(60)
    for number in missing:
        tables[f"t{number}"] = ObjectMissing("gone")
    for number in denied - missing:
        tables[f"t{number}"] = AccessRefused("not yours")
    warehouse = FakeWarehouse(tables)
    read = reader(warehouse).read(list(tables), now=NOW)
    for number in range(60):
        expected = (
            "missing" if number in missing else "denied" if number in denied else "ok"
        )
        assert read[f"t{number}"].read == expected


def test_a_table_the_view_does_not_know_yet_is_asked_itself() -> None:
    warehouse = FakeWarehouse(many(2))
    known = reader(warehouse)
    answer = warehouse.query

    def without_t1(
        statement: str, parameters: object = (), **_: object
    ) -> list[tuple[object, ...]]:
        rows = answer(statement)
        del parameters
        return rows[:1] if "FRESHNESS_" in statement else rows

    warehouse.query = without_t1  # type: ignore[method-assign]  # an older view
    read = known.read(["t0", "t1"], now=NOW)
    assert [read[name].read for name in ("t0", "t1")] == ["ok", "ok"]


def test_a_warehouse_that_goes_away_leaves_what_was_read() -> None:
    tables = many(1000)
    warehouse = FakeWarehouse(tables)
    warehouse.down_after = 1
    read = reader(warehouse).read(list(tables), now=NOW)
    states = [item.read for item in read.values()]
    assert (states.count("ok"), states.count("not_read")) == (500, 500)


def test_asking_ends_somewhere() -> None:
    tables: dict[str, FakeTable | WarehouseError] = {
        f"t{number}": AccessRefused("none is yours") for number in range(400)
    }
    warehouse = FakeWarehouse(tables)
    read = reader(warehouse).read(list(tables), now=NOW)
    assert warehouse.statements == STATEMENTS
    assert {item.read for item in read.values()} == {"denied", "not_read"}


def test_rows_ahead_of_now_are_counted_apart() -> None:
    ahead = NOW + timedelta(days=365)
    tables = {
        "cats": FakeTable(NOW - 5 * HOUR, NOW, future=2, ahead=ahead),
        "dogs": FakeTable(NOW + SKEW, NOW),
        "mice": FakeTable(None, NOW, rows=3, event_rows=0),
    }
    warehouse = FakeWarehouse(tables)
    read = reader(warehouse).read(list(tables), now=NOW)
    assert warehouse.statements == 2
    assert "'cats'" in warehouse.asked[1]
    assert "'dogs'" not in warehouse.asked[1]
    assert (read["cats"].newest_event_at, read["cats"].future_rows) == (
        NOW - 5 * HOUR,
        2,
    )
    assert (read["dogs"].newest_event_at, read["dogs"].future_rows) == (NOW + SKEW, 0)
    assert (read["mice"].newest_event_at, read["mice"].null_event_rows) == (None, 3)


def test_future_rows_that_cannot_be_told_apart_make_the_table_unread() -> None:
    ahead = NOW + timedelta(days=365)
    tables = {
        "cats": FakeTable(NOW, NOW, future=2, ahead=ahead),
        "dogs": FakeTable(NOW, NOW),
    }
    warehouse = FakeWarehouse(tables)
    warehouse.down_after = 1
    read = reader(warehouse).read(list(tables), now=NOW)
    assert (read["cats"].read, read["dogs"].read) == ("not_read", "ok")
    assert read["cats"].newest_event_at is None


def test_a_naive_time_is_refused_and_not_assumed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    naive = datetime(2026, 11, 23, 8)  # noqa: DTZ001 - on purpose
    warehouse = FakeWarehouse({"cats": FakeTable(naive, NOW)})
    read = reader(warehouse).read(["cats"], now=NOW)
    assert read["cats"].read == "error"
    assert "a row of times" in caplog.text


def test_tables_are_asked_what_their_view_asks() -> None:
    view = create_freshness_view("DB", "DB.CATFLAP.FRESHNESS_0", ["cats", "dogs"])
    assert view.endswith(f" AS {tables_query('DB', ['cats', 'dogs'])}")
