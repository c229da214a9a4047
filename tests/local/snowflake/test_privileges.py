"""Each role has what its statements need, and nothing that they could do without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import partial

import pytest

from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse
from lambdas.core.errors import (
    AccessRefused,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.quality.release import Shown, record_runs, waiting_query
from lambdas.core.quality.result import DatasetChecks, QualityResult
from lambdas.core.quality.statements import drop_results, insert_results
from lambdas.core.sql import (
    access,
    change_marks,
    copy_history,
    freshness_query,
    future_rows_query,
    loading,
    names,
    pipe_status,
    repair,
)
from lambdas.core.sql.bootstrap import Account, ServiceUser
from lambdas.core.sql.freshness import describe_pipe
from lambdas.core.sql.privileges import RULES
from lambdas.core.sql.tables import tables_query
from tests.local.snowflake.world import (
    ADMIN,
    ADMIN_ROLE,
    DATABASE,
    READER,
    READER_ROLE,
    REPAIRER,
    REPAIRER_ROLE,
    STARTED,
    WAREHOUSE,
    World,
    account,
    dataset,
    statements,
)

Outcomes = Mapping[str, object]
CATS = dataset("needed", write_disposition="replace")
HELD = dataset(
    "needed",
    write_disposition="replace",
    circuit_breaker=True,
    quality=[{"metric": "nullValues", "column": "dep_delay", "mustBe": 0}],
)
VIEW = f"{DATABASE}.CATFLAP.FRESHNESS_0"


def of_the_reader(world: World) -> list[str]:
    pipe = world.pipe(CATS)
    return [
        freshness_query(VIEW, [CATS.name]),
        change_marks([names.raw_table(DATABASE, CATS.name)]),
        tables_query(DATABASE, [CATS.name]),
        future_rows_query(DATABASE, [CATS.name], STARTED),
        pipe_status(pipe),
        describe_pipe(pipe),
        copy_history(DATABASE, CATS.name, STARTED),
        f"SELECT COUNT(*) FROM {names.analytics_view(DATABASE, CATS.name)}",
        waiting_query(DATABASE, [CATS]),
        record_runs(DATABASE, CATS.name, ["r"], Shown.HELD, STARTED),
        *insert_results(DATABASE, [CHECKED]),
        drop_results(DATABASE, STARTED),
    ]


CHECKED = DatasetChecks(
    dataset="needed",
    checked_at=STARTED,
    loaded_at=STARTED,
    run_id="r",
    results=(
        QualityResult(
            check="rowCount",
            metric="rowCount",
            column=None,
            severity="warn",
            state="pass",
            value=1.5,
            must="> 0",
            at=STARTED,
        ),
    ),
)


def of_the_repairer(world: World) -> list[str]:
    pipe, runs = world.pipe(CATS), names.runs_pipe(DATABASE)
    return [
        loading.show_pipes(DATABASE),
        describe_pipe(pipe),
        pipe_status(pipe),
        pipe_status(runs),
        copy_history(DATABASE, CATS.name, STARTED),
        repair.refresh_below(pipe, "", STARTED),
        repair.refresh_below(runs, "", STARTED),
        repair.resume_pipe(pipe),
        repair.force_resume_pipe(pipe),
        repair.rows_of_files(DATABASE, CATS.name, ["a"]),
        repair.run_files_loaded(DATABASE, ["a"]),
        repair.delete_old_runs(DATABASE, CATS),
        repair.delete_old_runs(DATABASE, HELD),
    ]


@pytest.mark.parametrize(
    ("user", "role", "made"),
    [
        (READER, READER_ROLE, of_the_reader),
        (REPAIRER, REPAIRER_ROLE, of_the_repairer),
    ],
)
def test_a_role_is_granted_what_its_statements_need_and_nothing_else(
    world: World, user: str, role: str, made: Callable[[World], list[str]]
) -> None:
    world.make(CATS)
    world.load(CATS, ['{"id":1}'])
    texts = made(world)
    whole = outcomes(world, user, role, texts)
    assert not [one for one in whole.values() if isinstance(one, type)], whole
    needless = [
        grant
        for grant in granted(world, role)
        if without(world, grant, role, lambda: outcomes(world, user, role, texts))
        == whole
    ]
    assert needless == []


def test_people_are_granted_the_relations_and_nothing_else(world: World) -> None:
    world.make(CATS)
    people = access.analytics_reader(DATABASE)
    rows = world.snowflake.administer([f"SHOW GRANTS TO DATABASE ROLE {people}"])
    relations = f"{DATABASE}.{names.ANALYTICS_SCHEMA}"
    shown = {(privilege, kind, name) for _, privilege, kind, name, *_ in rows}
    shared = {one for one in shown if one[1] not in {"VIEW", "DYNAMIC_TABLE"}}
    assert shared == {("USAGE", "SCHEMA", relations)}
    for privilege, _, name in shown - shared:
        assert privilege == "SELECT"
        assert name.startswith(f"{relations}.")
    assert ("SELECT", "VIEW", names.analytics_view(DATABASE, CATS.name)) in shown


def test_a_grant_that_nothing_needs_is_found(world: World) -> None:
    world.make(CATS)
    texts = of_the_reader(world)
    grant = ("DELETE", "TABLE", names.runs_table(DATABASE))
    world.admin.query(f"GRANT DELETE ON TABLE {grant[2]} TO ROLE {READER_ROLE}")
    whole = outcomes(world, READER, READER_ROLE, texts)

    assert grant in granted(world, READER_ROLE)
    again = without(
        world,
        grant,
        READER_ROLE,
        lambda: outcomes(world, READER, READER_ROLE, texts),
    )
    assert again == whole
    world.admin.query(f"REVOKE DELETE ON TABLE {grant[2]} FROM ROLE {READER_ROLE}")


def test_the_admin_needs_each_of_its_three_privileges(world: World) -> None:
    other = dataset(
        "admins", table={"materialized": "dynamic_table", "target_lag": "1 hour"}
    )

    def deploy(database: str) -> object:
        settings = world.settings(ADMIN, ADMIN_ROLE).model_copy(
            update={"snowflake_database": database}
        )
        try:
            world.provisioner(settings).make_integration(world.access_role_arn)
            world.make(other)
        except WarehouseError as error:
            return type(error)
        return None

    for grant in granted(world, ADMIN_ROLE):
        act = partial(deploy, f"CATFLAP_{grant[0].replace(' ', '_')}")
        assert without(world, grant, ADMIN_ROLE, act) is not None, grant
    assert len(granted(world, ADMIN_ROLE)) == 3


def test_an_administrator_may_not_touch_what_is_outside_the_hierarchy(
    world: World,
) -> None:
    own = world.snowflake
    own.administer(
        [
            "CREATE ROLE IF NOT EXISTS ALONE",
            "GRANT CREATE DATABASE ON ACCOUNT TO ROLE ALONE",
            "GRANT ROLE ALONE TO USER ADMINISTRATOR",
        ]
    )
    own.administer(["CREATE DATABASE APART", "CREATE SCHEMA APART.X"], role="ALONE")

    with pytest.raises(Exception, match="APART"):
        own.administer(["CREATE TABLE APART.X.T (A NUMBER)"])
    own.administer(["GRANT ROLE ALONE TO ROLE SYSADMIN"])
    own.administer(["CREATE TABLE APART.X.T (A NUMBER)"])


def test_a_load_history_names_a_pipe_only_to_who_may_monitor_it(world: World) -> None:
    world.make(CATS)
    world.load(CATS, ['{"id":2}'])
    reader = world.warehouse(READER, READER_ROLE)
    history = copy_history(DATABASE, CATS.name, STARTED)
    assert str(reader.query(history)[0][-1]).startswith("NEEDED_G")

    world.admin.query(
        f"REVOKE MONITOR ON PIPE {world.pipe(CATS)} FROM ROLE {READER_ROLE}"
    )
    assert reader.query(history)[0][-1] is None
    reader.close()
    world.make(CATS)


def test_operate_alone_does_not_show_a_pipes_status(world: World) -> None:
    world.make(CATS)
    pipe = world.pipe(CATS)
    repairer = world.warehouse(REPAIRER, REPAIRER_ROLE)
    world.admin.query(f"REVOKE MONITOR ON PIPE {pipe} FROM ROLE {REPAIRER_ROLE}")

    with pytest.raises(AccessRefused):
        repairer.query(pipe_status(pipe))
    assert repairer.query(describe_pipe(pipe))
    repairer.close()
    world.make(CATS)


def test_only_users_that_were_made_sign_in_and_only_in_their_roles(
    world: World,
) -> None:
    with pytest.raises(WarehouseUnreachable, match="STRANGER"):
        world.warehouse("STRANGER", READER_ROLE).query("SELECT 1")
    with pytest.raises(WarehouseUnreachable, match="not granted"):
        world.warehouse(READER, ADMIN_ROLE).query("SELECT 1")


def test_an_analyst_reads_by_the_database_role_and_not_the_raw_tables(
    world: World,
) -> None:
    world.make(CATS)
    known = account("arn:aws:iam::1:role/a")
    world.snowflake.administer(
        [
            "CREATE ROLE IF NOT EXISTS ANALYSTS",
            f"GRANT USAGE ON WAREHOUSE {WAREHOUSE} TO ROLE ANALYSTS",
            "GRANT ROLE ANALYSTS TO USER ADMINISTRATOR",
            known.share_with("ANALYSTS"),
        ]
    )

    def as_analyst(text: str) -> object:
        return world.snowflake.administer([text], role="ANALYSTS", warehouse=WAREHOUSE)

    relation = names.analytics_view(DATABASE, CATS.name)
    assert as_analyst(f"SELECT COUNT(*) FROM {relation}")
    with pytest.raises(Exception, match="does not exist or not authorized"):
        as_analyst(f"SELECT * FROM {names.raw_table(DATABASE, CATS.name)}")


def test_the_teardown_removes_all_that_the_bootstrap_made(world: World) -> None:
    admin, reader, repairer, reporter = (
        ServiceUser(
            user=f"GONE_{which}",
            role=f"GONE_{which}",
            function="test",
            aws_role_arn="arn:aws:iam::1:role/a",
        )
        for which in ("ADMIN", "READER", "REPAIRER", "REPORTER")
    )
    gone = Account(
        admin=admin,
        reader=reader,
        repairer=repairer,
        reporter=reporter,
        warehouse="GONE_WH",
        database="GONE_DB",
    )
    for _ in range(2):
        world.snowflake.administer(statements(gone.bootstrap()))
    world.snowflake.administer(
        ["CREATE DATABASE GONE_DB", "CREATE SCHEMA GONE_DB.RAW WITH MANAGED ACCESS"],
        role="SYSADMIN",
    )
    for _ in range(2):
        world.snowflake.administer(statements(gone.teardown()))

    for text in (
        "SHOW GRANTS TO ROLE GONE_ADMIN",
        "USE WAREHOUSE GONE_WH",
        "CREATE TABLE GONE_DB.RAW.T (A NUMBER)",
    ):
        with pytest.raises(Exception, match=r"GONE|No active warehouse"):
            world.snowflake.administer([text])


def test_every_rule_names_a_page_of_the_documentation() -> None:
    for statement, rule in RULES.items():
        assert rule.page.startswith(("sql-reference/", "user-guide/")), statement


def outcomes(world: World, user: str, role: str, texts: Iterable[str]) -> Outcomes:
    """What each text answers, or how it is refused."""
    warehouse = session_of(world, user, role)

    def outcome(text: str) -> object:
        try:
            rows = warehouse.query(text)
        except WarehouseError as error:
            return type(error)
        return [_seen(row) for row in rows]

    return {text: outcome(text) for text in texts}


_SESSIONS: dict[tuple[int, str], SnowflakeWarehouse] = {}


def session_of(world: World, user: str, role: str) -> SnowflakeWarehouse:
    """One for all outcomes: to sign in takes longer than a statement."""
    key = (id(world), user)
    if key not in _SESSIONS:
        _SESSIONS[key] = world.warehouse(user, role)
    return _SESSIONS[key]


def _seen(row: tuple[object, ...]) -> tuple[bool, ...]:
    return tuple(value is not None for value in row)


def granted(world: World, role: str) -> list[tuple[str, str, str]]:
    """(privilege, kind, name) of each grant, but for those that are about datasets of
    other tests.
    """
    rows = world.snowflake.administer([f"SHOW GRANTS TO ROLE {role}"])
    return [
        (privilege, kind, name)
        for _, privilege, kind, name, *_ in rows
        if not _is_of_another_dataset(name)
    ]


def _is_of_another_dataset(name: str) -> bool:
    schema, _, one = name.removeprefix(f"{DATABASE}.").partition(".")
    if schema == names.CATFLAP_SCHEMA:
        return one not in {"", VIEW.rpartition(".")[2]}
    mine = ("_", CATS.name.upper())
    return one not in {"", names.STAGE} and not one.startswith(mine)


def without(
    world: World, grant: tuple[str, str, str], role: str, act: Callable[[], object]
) -> object:
    """What an act comes to while a grant is taken away."""
    privilege, kind, name = grant
    on = "ON ACCOUNT" if kind == "ACCOUNT" else f"ON {kind} {name}"
    what = f"{privilege} {on}"
    if kind == "DATABASE_ROLE":
        what = f"DATABASE ROLE {name}"
    connection = world.snowflake.administrator()
    with closing(connection), connection.cursor() as administrator:
        administrator.execute(f"REVOKE {what} FROM ROLE {role}")
        try:
            return act()
        finally:
            administrator.execute(f"GRANT {what} TO ROLE {role}")
