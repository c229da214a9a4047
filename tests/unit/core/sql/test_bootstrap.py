from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lambdas.core.sql import access
from lambdas.core.sql.bootstrap import Account, ServiceUser
from lambdas.core.sql.privileges import RULES, fewest

ACCOUNT = Account(
    admin=ServiceUser(
        user="deployer",
        role="admin",
        function="warehouse",
        aws_role_arn="arn:aws:iam::1:role/a",
    ),
    reader=ServiceUser(
        user="watcher",
        role="reader",
        function="freshness",
        aws_role_arn="arn:aws:iam::1:role/b",
    ),
    repairer=ServiceUser(
        user="mender",
        role="repairer",
        function="repair",
        aws_role_arn="arn:aws:iam::1:role/c",
    ),
    reporter=ServiceUser(
        user="bookkeeper",
        role="reporter",
        function="reports",
        aws_role_arn="arn:aws:iam::1:role/d",
    ),
    warehouse="wh",
    database="cats",
)
TEXTS = [text for step in ACCOUNT.bootstrap() for text in step.statements]


def test_an_administrator_makes_users_without_a_secret() -> None:
    assert not [text for text in TEXTS if "PASSWORD" in text]
    users = [text for text in TEXTS if text.startswith("CREATE USER")]
    assert len(users) == 4
    for text in users:
        assert "TYPE = SERVICE" in text
        assert "WORKLOAD_IDENTITY = (TYPE = AWS ARN = 'arn:aws:iam::1:role/" in text


def test_the_admin_stands_below_sysadmin_and_may_make_no_roles() -> None:
    assert "GRANT ROLE ADMIN TO ROLE SYSADMIN" in TEXTS
    (on_account,) = [text for text in TEXTS if "ON ACCOUNT" in text]
    assert on_account == (
        "GRANT CREATE DATABASE, CREATE STORAGE INTEGRATION ON ACCOUNT TO ROLE ADMIN"
    )


def test_reports_read_usage_and_grants_and_every_query_by_choice_only() -> None:
    viewers = [text for text in TEXTS if "DATABASE ROLE SNOWFLAKE." in text]
    assert viewers == [
        "GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE REPORTER",
        "GRANT DATABASE ROLE SNOWFLAKE.SECURITY_VIEWER TO ROLE REPORTER",
    ]
    chosen = [
        text
        for step in replace(ACCOUNT, reads_queries=True).bootstrap()
        for text in step.statements
    ]
    assert "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE REPORTER" in chosen


def test_a_user_with_a_key_is_told_where_its_public_half_goes() -> None:
    admin = replace(ACCOUNT.admin, aws_role_arn=None)
    steps = list(replace(ACCOUNT, admin=admin).bootstrap())
    assert not [
        text
        for step in steps
        for text in step.statements
        if "DEPLOYER" in text and "WORKLOAD_IDENTITY" in text
    ]
    assert [
        step for step in steps if "ALTER USER DEPLOYER SET RSA_PUBLIC_KEY" in step.why
    ]


def test_the_teardown_drops_each_thing_that_the_bootstrap_makes() -> None:
    made = {
        match[1]
        for text in TEXTS
        if (match := re.match(r"CREATE (\w+ IF NOT EXISTS \w+)", text))
    }
    dropped = {
        text.removeprefix("DROP ").replace("IF EXISTS", "IF NOT EXISTS")
        for step in ACCOUNT.teardown()
        for text in step.statements
        if text.startswith("DROP ")
    }
    assert made
    assert made < dropped
    assert dropped - made == {
        "DATABASE IF NOT EXISTS CATS",
        "INTEGRATION IF NOT EXISTS CATS_LANDING",
    }


def test_a_refresh_needs_the_stage_and_insert() -> None:
    assert fewest(["ALTER PIPE REFRESH"], "PIPE") == ("OPERATE",)
    assert fewest(["ALTER PIPE REFRESH"], "STAGE") == ("USAGE",)
    assert fewest(["ALTER PIPE REFRESH"], "TABLE") == ("INSERT", "SELECT")
    assert fewest(access.READER_STATEMENTS, "PIPE") == ("MONITOR",)
    assert fewest(access.READER_STATEMENTS, "STAGE") == ()


@pytest.mark.parametrize(
    "statement", [*access.REMOVES_OLD_RUNS, *access.READER_STATEMENTS]
)
def test_the_statements_of_the_roles_are_in_the_table(statement: str) -> None:
    assert statement in RULES
