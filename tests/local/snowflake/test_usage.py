"""The account's own history, in the views and by the roles that Snowflake has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.errors import ObjectMissing
from lambdas.core.sql import account_usage, names
from lambdas.core.sql.account_usage import SCHEMA, VIEWS, ViewerRole
from tests.local.snowflake.world import (
    DATABASE,
    READER,
    READER_ROLE,
    WAREHOUSE,
    World,
    dataset,
)

DAY = datetime(2031, 3, 3, 12, tzinfo=UTC)
"""After whatever other tests live through."""


def asked(world: World, statement: str) -> list[tuple[object, ...]]:
    """As the account's administrator."""
    return world.snowflake.administer(
        [f"USE WAREHOUSE {WAREHOUSE}", statement], role="ACCOUNTADMIN"
    )


@pytest.fixture
def lived(world: World) -> World:
    world.snowflake.set_clock(DAY)
    world.make(dataset("lived"))
    world.snowflake.administer(["GRANT ROLE SYSADMIN TO ROLE ACCOUNTADMIN"])
    world.snowflake.administer(
        [f"GRANT USAGE ON WAREHOUSE {WAREHOUSE} TO ROLE ACCOUNTADMIN"], role="SYSADMIN"
    )
    return world


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_of_its_page(lived: World, view: str) -> None:
    with lived.snowflake.administrator(warehouse=WAREHOUSE) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT * FROM {SCHEMA}.{view} LIMIT 0")
        assert [one[0] for one in cursor.description] == list(VIEWS[view].columns)


def test_what_woke_a_warehouse_shows_after_three_hours(lived: World) -> None:
    reader = lived.warehouse(READER, READER_ROLE)
    table = names.raw_table(DATABASE, "lived")
    for minutes in (60, 60.2, 75):
        lived.snowflake.set_clock(DAY + timedelta(minutes=minutes))
        reader.query(f"SELECT COUNT(*) FROM {table}", serves=["lived"])
    reader.close()
    since, until = DAY + timedelta(minutes=59), DAY + timedelta(hours=9)
    resumes = account_usage.resumes(WAREHOUSE, since, until)
    lived.snowflake.set_clock(DAY + timedelta(hours=3))
    assert asked(lived, resumes) == []
    lived.snowflake.set_clock(DAY + timedelta(hours=10))
    woken = asked(lived, resumes)
    assert [row[2] for row in woken][:2] == [READER_ROLE, READER_ROLE]
    ran = asked(lived, account_usage.tagged(WAREHOUSE, since, until))
    served = [account_usage.served_by(str(row[2])) for row in ran]
    assert served[:3] == [("lived",)] * 3
    ((credits_used,),) = asked(
        lived, account_usage.metered(WAREHOUSE, since, since + timedelta(hours=2))
    )
    seconds = float(str(credits_used)) * 3600
    assert seconds == pytest.approx(60.4 + 12 + 60.4, abs=1)


def test_a_file_is_billed_by_its_size_uncompressed(lived: World) -> None:
    flights = dataset("billed")
    lived.make(flights)
    lines = [f'{{"id": {number}}}' for number in range(1000)]
    lived.load(flights, lines, started_at=DAY)
    lived.snowflake.set_clock(DAY + timedelta(hours=9))
    rows = asked(lived, account_usage.piped(DATABASE, DAY, DAY + timedelta(hours=1)))
    (found,) = [row for row in rows if row[0] == lived.pipe(flights)]
    assert float(str(found[2])) == sum(len(line) + 1 for line in lines)
    assert float(str(found[3])) == 1


def test_a_grant_by_hand_and_its_end_are_rows_and_the_person_is_in_the_queries(
    lived: World,
) -> None:
    table = names.raw_table(DATABASE, "lived")
    lived.snowflake.administer(["CREATE ROLE IF NOT EXISTS CURIOUS"], role="USERADMIN")
    lived.admin.query(f"GRANT SELECT ON TABLE {table} TO ROLE CURIOUS")
    lived.snowflake.set_clock(DAY + timedelta(hours=1))
    lived.admin.query(f"REVOKE SELECT ON TABLE {table} FROM ROLE CURIOUS")
    lived.snowflake.set_clock(DAY + timedelta(hours=6))
    rows = asked(
        lived,
        "SELECT PRIVILEGE, NAME, GRANTED_BY, CREATED_ON, DELETED_ON "
        f"FROM {SCHEMA}.GRANTS_TO_ROLES WHERE GRANTEE_NAME = 'CURIOUS'",
    )
    ((privilege, name, by, created, deleted),) = rows
    assert (privilege, name, by) == ("SELECT", "LIVED", "CATFLAP_ADMIN")
    assert created < deleted  # type: ignore[operator]  # times
    texts = asked(
        lived,
        f"SELECT USER_NAME, QUERY_TYPE FROM {SCHEMA}.QUERY_HISTORY "
        "WHERE QUERY_TEXT ILIKE '%TO ROLE CURIOUS%' AND QUERY_TYPE = 'GRANT'",
    )
    assert texts == [("CATFLAP_DEPLOYER", "GRANT")]


def test_each_viewer_reads_its_own_views_and_no_other(lived: World) -> None:
    lived.snowflake.administer(account_usage.grant_to(READER_ROLE, [ViewerRole.USAGE]))
    reader = lived.warehouse(READER, READER_ROLE)
    try:
        for name, view in VIEWS.items():
            statement = f"SELECT COUNT(*) FROM {SCHEMA}.{name}"
            if ViewerRole.USAGE in view.roles:
                reader.query(statement)
            else:
                with pytest.raises(ObjectMissing):
                    reader.query(statement)
    finally:
        reader.close()
        lived.snowflake.administer(
            [f"REVOKE DATABASE ROLE SNOWFLAKE.USAGE_VIEWER FROM ROLE {READER_ROLE}"]
        )
