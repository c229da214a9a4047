"""The life of dynamic tables, on DuckDB alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from snowflake.connector.errors import ProgrammingError

from local.snowflake.account import Account, DynamicTable
from local.snowflake.dynamic_tables import MOST_FAILURES, DynamicTables

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
NUMBERS = "SELECT ID, CAST(C AS BIGINT) AS N FROM D.S.V"


class Life:
    """An account with a table, a view of it, and dynamic tables on that."""

    def __init__(self) -> None:
        self.duck = duckdb.connect()
        for statement in (
            "ATTACH ':memory:' AS _fs_global",
            "CREATE SCHEMA _fs_global._fs_information_schema",
            "ATTACH ':memory:' AS D",
            "CREATE SCHEMA D.S",
            "CREATE TABLE D.S.T (ID INTEGER, C VARCHAR)",
            "INSERT INTO D.S.T VALUES (1, '1')",
            "CREATE VIEW D.S.V AS SELECT * FROM D.S.T",
        ):
            self.duck.execute(statement)
        self.account = Account()
        self.account.views.add("D.S.V")
        self.tables = DynamicTables(account=self.account, connection=self.duck)
        self.now = START

    def make(
        self, name: str, query: str, *, lag: str = "1 hour", mode: str = "INCREMENTAL"
    ) -> None:
        """As CREATE OR ALTER does."""
        self.duck.execute(f"CREATE OR REPLACE VIEW D.S.{name} AS {query}")
        full = f"D.S.{name}"
        if full not in self.account.dynamic_tables:
            self.account.dynamic_tables[full] = DynamicTable(
                name=full, target_lag=lag, warehouse="W", comment="", text=query,
                owner="ME", created_at=self.now, due_since=self.now, refresh_mode=mode,
            )  # fmt: skip
        self.tables.made(full, self.now)

    def wait(self, hours: float = 1) -> None:
        self.now += hours * HOUR
        self.tables.settle(self.now)

    def put(self, value: str) -> None:
        self.duck.execute("INSERT INTO D.S.T VALUES (2, ?)", [value])

    def mend(self) -> None:
        self.duck.execute("DELETE FROM D.S.T WHERE C = 'x'")

    def shown(self, name: str) -> list[int]:
        """What somebody reads who asks now."""
        self.tables.read([f"D.S.{name}"], self.now)
        rows = self.duck.execute(f"SELECT N FROM D.S.{name} ORDER BY 1").fetchall()
        return [row[0] for row in rows]

    def said(self, name: str) -> list[str]:
        """State or action of each refresh that is remembered."""
        kept = self.account.dynamic_tables[f"D.S.{name}"].refreshes
        return [one.action or one.state for one in kept]

    def is_suspended(self, name: str) -> bool:
        return self.account.dynamic_tables[f"D.S.{name}"].suspended_at is not None


@pytest.fixture
def life() -> Life:
    made = Life()
    made.make("A", NUMBERS)
    made.make("B", "SELECT COUNT(*) AS N FROM D.S.A")
    return made


def test_rows_come_with_a_question_and_refreshes_with_the_lag(life: Life) -> None:
    life.put("7")
    assert (life.shown("A"), life.shown("B")) == ([1, 7], [2])
    assert life.said("A") == ["REINITIALIZE"]
    life.wait()
    life.put("8")
    life.wait()
    assert life.said("A")[1:] == ["NO_DATA", "INCREMENTAL"]


def test_what_fails_shows_its_last_rows_and_so_does_what_is_made_of_it(
    life: Life,
) -> None:
    life.put("x")
    life.wait()
    assert (life.shown("A"), life.shown("B")) == ([1], [1])
    assert life.said("A")[1:] == ["FAILED"]
    assert life.said("B")[1:] == ["UPSTREAM_FAILED"]
    life.mend()
    life.wait()
    assert life.said("A")[-1] == life.said("B")[-1] == "NO_DATA"


def test_five_failures_in_a_row_suspend_it_and_all_below_it(life: Life) -> None:
    life.put("x")
    for _ in range(MOST_FAILURES - 1):
        life.wait()
        assert not life.is_suspended("A")
    life.wait()
    assert life.is_suspended("A")
    assert life.is_suspended("B")
    life.mend()
    life.put("9")
    life.wait(5)
    assert life.shown("A") == [1], "nothing is refreshed while it is suspended"

    with pytest.raises(ProgrammingError, match=r"upstream D\.S\.A is suspended"):
        life.tables.resume("D.S.B", life.now)
    life.tables.resume("D.S.A", life.now)
    assert (life.shown("A"), life.shown("B")) == ([1, 9], [2])


def test_a_success_ends_the_count_and_a_failure_by_hand_is_none(life: Life) -> None:
    life.put("x")
    for _ in range(MOST_FAILURES - 1):
        life.wait()
    with pytest.raises(ProgrammingError, match="refresh failed"):
        life.tables.refresh("D.S.A", life.now)
    assert not life.is_suspended("A")
    life.mend()
    life.tables.refresh("D.S.A", life.now)
    life.put("x")
    life.wait()
    assert not life.is_suspended("A")


def test_what_stands_above_a_replaced_view_is_computed_anew_once(life: Life) -> None:
    life.make("C", NUMBERS, mode="FULL")
    life.make("A", NUMBERS)
    assert life.said("A") == ["REINITIALIZE"], "the same text changes nothing"
    life.duck.execute("CREATE OR REPLACE VIEW D.S.V AS SELECT * FROM D.S.T")
    life.tables.replaced("D.S.V")
    life.wait()
    life.wait()
    for name in ("A", "B"):
        assert life.said(name)[1:] == ["REINITIALIZE", "NO_DATA"]
    assert life.said("C")[1:] == ["NO_DATA", "NO_DATA"]

    life.make("A", NUMBERS + " WHERE ID = 1")
    assert life.said("A")[-1] == "REINITIALIZE"
    life.wait()
    assert life.said("B")[-1] == "NO_DATA", "what is altered rebuilds nothing below"


def test_downstream_is_refreshed_for_whoever_needs_it_and_else_never(
    life: Life,
) -> None:
    life.make("D", NUMBERS, lag="DOWNSTREAM")
    life.put("7")
    life.wait(50)
    assert life.shown("D") == [1]
    life.make("E", "SELECT MAX(N) AS N FROM D.S.D", lag="2 hours")
    assert life.shown("D") == [1, 7]
    life.wait(2)
    assert life.said("D")[-1] == "NO_DATA"


def test_what_is_suspended_by_hand_is_resumed_by_hand_alone(life: Life) -> None:
    life.tables.suspend("D.S.B", life.now, reason="USER_SUSPENDED")
    life.tables.suspend("D.S.A", life.now, reason="USER_SUSPENDED")
    life.tables.resume("D.S.A", life.now)
    assert (life.is_suspended("A"), life.is_suspended("B")) == (False, True)
