"""What people read: deletions, columns of the data, views and dynamic tables."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lambdas.core.errors import ObjectMissing, WarehouseError
from lambdas.core.sql import names, views
from tests.local.snowflake.world import (
    DATABASE,
    READER,
    READER_ROLE,
    STARTED,
    World,
    dataset,
)

HOUR = timedelta(hours=1)
DYNAMIC = {"materialized": "dynamic_table", "target_lag": "1 hour"}


@pytest.mark.parametrize(
    ("mark", "is_deleted"),
    [
        ("", False),
        (',"gone":null', False),
        (',"gone":false', False),
        (',"gone":0', False),
        (',"gone":""', False),
        (',"gone":"False"', False),
        (',"gone":true', True),
        (',"gone":1', True),
        (',"gone":"2013-01-01T05:00:00Z"', True),
    ],
)
def test_a_mark_of_deletion_takes_a_row_out(
    world: World, mark: str, *, is_deleted: bool
) -> None:
    flights = dataset(
        f"gone{abs(hash(mark))}", write_disposition="merge", deleted_when="gone"
    )
    world.make(flights)
    world.load(flights, ['{"id":1}', '{"id":2}'])
    world.load(flights, [f'{{"id":1{mark}}}'], started_at=STARTED + HOUR)
    assert world.view(flights, "ID") == ([(2,)] if is_deleted else [(1,), (2,)])


def test_a_deleted_row_comes_back_when_it_is_inserted_again(world: World) -> None:
    flights = dataset("back", write_disposition="merge", deleted_when="gone")
    world.make(flights)
    world.load(flights, ['{"id":1,"dep_delay":1}'])
    world.load(flights, ['{"id":1,"gone":true}'], started_at=STARTED + HOUR)
    assert world.view(flights, "ID") == []
    world.load(flights, ['{"id":1,"dep_delay":2}'], started_at=STARTED + 2 * HOUR)
    assert world.view(flights, "ID, DEP_DELAY") == [(1, 2.0)]


def test_a_deletion_that_loads_before_the_row_it_deletes_still_deletes_it(
    world: World,
) -> None:
    flights = dataset("ooo", write_disposition="merge", deleted_when="meta.deleted_at")
    world.make(flights)
    gone = '{"id":1,"meta":{"deleted_at":"2013-01-01T06:00:00Z"}}'
    world.load(flights, [gone], started_at=STARTED + HOUR)
    world.load(flights, ['{"id":1,"meta":{"deleted_at":null}}'], started_at=STARTED)
    assert world.view(flights, "ID") == []
    assert world.rows(flights) == [(2,)]


def test_columns_of_the_data_are_typed_and_a_fraction_is_no_integer(
    world: World,
) -> None:
    flights = dataset("seen", columns=None)
    world.seen.by_dataset["seen"] = {
        "id": "integer", "n": "number", "t": "string", "b": "boolean", "v": "variant",
        "nothing": "null", "o'dd \\ \"name\"": "integer",
    }  # fmt: skip
    world.make(flights)
    world.load(
        flights,
        [
            '{"id":1,"n":1.5,"t":"x","b":true,"v":{"a":1},"o\'dd \\\\ \\"name\\"":7}',
            '{"id":1.5,"n":"x","t":2,"b":"maybe","v":null}',
            '{"id":12345678901234567,"n":2,"t":null,"b":null}',
        ],
    )
    columns = 'ID, N, T, B, V, NOTHING, "o\'dd \\ ""name"""'
    view = names.analytics_view(DATABASE, "seen")
    assert world.admin.query(f"SELECT {columns} FROM {view} ORDER BY _ROW") == [
        (1, 1.5, "x", True, '{"a":1}', None, 7),
        (None, None, "2", None, "null", None, None),
        (12345678901234567, 2.0, None, None, None, None, None),
    ]


def test_a_relation_is_a_view_then_a_dynamic_table_and_a_view_again(
    world: World,
) -> None:
    view = dataset("kinds")
    table = dataset("kinds", table=DYNAMIC)
    world.make(view)
    world.load(view, ['{"id":1}'])

    world.make(table)
    world.load(table, ['{"id":2}'])
    assert world.view(table, "ID") == [(1,), (2,)]
    shown = world.admin.query(views.show_dynamic_tables(DATABASE))
    (made,) = (row for row in shown if row[1] == "KINDS")
    reader = world.warehouse(READER, READER_ROLE)
    relation = names.analytics_view(DATABASE, "kinds")
    assert reader.query(f"SELECT COUNT(*) FROM {relation}") == [(2,)]

    world.make(table)
    (again,) = (
        row
        for row in world.admin.query(views.show_dynamic_tables(DATABASE))
        if row[1] == "KINDS"
    )
    # all but when it was refreshed last
    assert again[:21] == made[:21], "an unchanged dynamic table is not made anew"

    world.make(view)
    assert world.view(view, "ID") == [(1,), (2,)]
    assert reader.query(f"SELECT COUNT(*) FROM {relation}") == [(2,)]
    reader.close()
    shown = world.admin.query(views.show_dynamic_tables(DATABASE))
    assert "KINDS" not in {row[1] for row in shown}


def test_no_kind_is_replaced_or_dropped_by_a_statement_for_the_other(
    world: World,
) -> None:
    view = dataset("strict_view")
    table = dataset("strict_table", table=DYNAMIC)
    world.make(view, table)
    for statement in (
        views.create_view(DATABASE, table),
        views.drop_view(DATABASE, "strict_table"),
        views.create_dynamic_table(
            DATABASE, dataset("strict_view", table=DYNAMIC), "CATFLAP_WH"
        ),
        views.drop_dynamic_table(DATABASE, "strict_view"),
    ):
        with pytest.raises((WarehouseError, ObjectMissing), match="another type"):
            world.admin.query(statement)
