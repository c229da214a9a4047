"""What a view says of a dataset that has become late is not believed at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

from lambdas.core.errors import WarehouseUnreachable
from tests.unit.freshness.test_check import House, fresh
from tests.watched import HOUR, FakeTable, FakeWarehouse


class WrongView(FakeWarehouse):
    """Its view gives times that are hours off; the tables themselves are right."""

    hours_off = 0
    has_tables = True

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        is_view = "CATFLAP.FRESHNESS_" in statement
        if not is_view and not self.has_tables:
            raise WarehouseUnreachable("no answer from Snowflake")
        right = self.tables
        if is_view:
            self.tables = {
                name: dataclasses.replace(
                    table, newest=table.newest - self.hours_off * HOUR
                )
                if isinstance(table, FakeTable) and table.newest is not None
                else table
                for name, table in right.items()
            }
        try:
            return super().query(statement, parameters)
        finally:
            self.tables = right


def house() -> tuple[House, WrongView]:
    made = House({"cats": fresh()})
    warehouse = WrongView(made.warehouse.tables)
    made.warehouse = warehouse
    made.check()
    return made, warehouse


def told_of_cats(made: House) -> list[tuple[str, str, str]]:
    return [told for told in made.told(made.sns) if told[0] == "cats"]


def test_a_view_that_is_hours_off_is_a_misreading_and_no_late_dataset() -> None:
    made, warehouse = house()
    made.age("cats", -3 * HOUR)  # as fresh as can be, when the next check is made
    warehouse.hours_off = 5
    made.check(3 * HOUR)
    incident = made.state.open_incident("cats")
    assert incident is not None
    assert (incident.state, incident.cause) == ("pass", "monitor_misread")
    assert [notice for notice in made.pages() if notice.dataset == "cats"] == []
    # It is said for as long as it is so, and once only.
    told = told_of_cats(made)
    assert told != []
    made.age("cats", timedelta())
    made.check(timedelta(minutes=5))
    assert made.state.open_incident("cats") is not None
    assert told_of_cats(made) == told
    warehouse.hours_off = 0
    made.check(timedelta(minutes=5))
    assert made.state.open_incident("cats") is None


def test_a_table_that_is_late_by_itself_is_late() -> None:
    made, warehouse = house()
    result = made.check(4 * HOUR)
    assert result.suspects == 1
    assert result.statements == 2  # the view, and the one table
    again = made.check(timedelta(minutes=5))
    assert again.statements == 1  # late it was, and is not doubted twice
    incident = made.state.open_incident("cats")
    assert incident is not None
    assert incident.state == "warn"
    assert warehouse.tables


def test_a_table_that_cannot_be_read_directly_stays_as_the_view_had_it() -> None:
    made, warehouse = house()
    warehouse.has_tables = False
    result = made.check(4 * HOUR)
    assert (result.suspects, result.unknown) == (1, 0)
