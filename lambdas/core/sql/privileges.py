"""What each statement needs in Snowflake, row by row, with the page that says so.

The grants (`access`, `bootstrap`) are made from this table, and the embedded Snowflake
refuses by it, so that a grant that is missing or needless shows without an account.

Beside what a row names, a statement needs any one privilege on the database and the
schema of each object. The owner of an object may do everything with it. `is_sure` is
false where the page does not say it in so many words, or was not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "ACCOUNT",
    "WAREHOUSE",
    "DATABASE",
    "SCHEMA",
    "INTEGRATION",
    "STAGE",
    "TABLE",
    "PIPE",
    "ROLE",
    "USER",
    "DATABASE ROLE",
]
"""Kinds of objects that have privileges of their own; a view and a dynamic table share
the names and the privileges of tables."""

PAGES = "https://docs.snowflake.com/en/"
OWNERSHIP = "OWNERSHIP"
MANAGE_GRANTS = "MANAGE GRANTS"


@dataclass(frozen=True, slots=True)
class Need:
    """A kind of object, and the privileges on it of which one is enough; none named:
    any privilege will do. MANAGE GRANTS on the account is named on the object that it
    replaces OWNERSHIP of.
    """

    on: Kind
    any_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegeRule:
    """What one kind of statement needs, all of it. `page` is below PAGES;
    `uses_warehouse`: the session needs a warehouse that its role may use.
    """

    needs: tuple[Need, ...]
    page: str
    uses_warehouse: bool = False
    is_sure: bool = True


def _owner(kind: Kind, page: str, *, is_sure: bool = True) -> PrivilegeRule:
    return PrivilegeRule(needs=(Need(kind, (OWNERSHIP,)),), page=page, is_sure=is_sure)


def _create(
    privilege: str, page: str, *more: Need, is_sure: bool = True
) -> PrivilegeRule:
    return PrivilegeRule(
        needs=(Need("SCHEMA", (privilege,)), *more), page=page, is_sure=is_sure
    )


def _on_account(*any_of: str, page: str, is_sure: bool = True) -> PrivilegeRule:
    return PrivilegeRule(needs=(Need("ACCOUNT", any_of),), page=page, is_sure=is_sure)


def _granted(kind: Kind) -> PrivilegeRule:
    # with grant option, too; nobody here is given one
    needs = (Need(kind, (OWNERSHIP, MANAGE_GRANTS)),)
    return PrivilegeRule(needs=needs, page="sql-reference/sql/grant-privilege")


_SELECT = Need("TABLE", ("SELECT",))
_INSERT = Need("TABLE", ("INSERT",))
_USE_STAGE = Need("STAGE", ("USAGE",))
_USE_INTEGRATION = Need("INTEGRATION", ("USAGE",))
_SEE_PIPE = Need("PIPE", ("MONITOR", "OPERATE"))

RULES: Mapping[str, PrivilegeRule] = {
    "CREATE WAREHOUSE": _on_account(
        "CREATE WAREHOUSE", page="sql-reference/sql/create-warehouse"
    ),
    "CREATE ROLE": _on_account("CREATE ROLE", page="sql-reference/sql/create-role"),
    "CREATE USER": _on_account("CREATE USER", page="sql-reference/sql/create-user"),
    "ALTER USER": _owner("USER", "sql-reference/sql/alter-user"),
    "GRANT ROLE": PrivilegeRule(
        needs=(Need("ROLE", (OWNERSHIP, MANAGE_GRANTS)),),
        page="sql-reference/sql/grant-role",
        is_sure=False,
    ),
    "GRANT DATABASE ROLE": PrivilegeRule(
        needs=(Need("DATABASE ROLE", (OWNERSHIP, MANAGE_GRANTS)),),
        page="sql-reference/sql/grant-database-role",
        is_sure=False,
    ),
    "GRANT ON ACCOUNT": _on_account(
        MANAGE_GRANTS, page="sql-reference/sql/grant-privilege"
    ),
    "GRANT ON WAREHOUSE": _granted("WAREHOUSE"),
    "GRANT ON DATABASE": _granted("DATABASE"),
    "GRANT ON SCHEMA": _granted("SCHEMA"),
    "GRANT ON INTEGRATION": _granted("INTEGRATION"),
    # in a schema with managed access it is the schema's owner who grants
    "GRANT IN SCHEMA": _granted("SCHEMA"),
    "CREATE DATABASE": _on_account(
        "CREATE DATABASE", page="sql-reference/sql/create-database", is_sure=False
    ),
    "CREATE DATABASE ROLE": PrivilegeRule(
        needs=(Need("DATABASE", ("CREATE DATABASE ROLE",)),),
        page="sql-reference/sql/create-database-role",
    ),
    "CREATE SCHEMA": PrivilegeRule(
        needs=(Need("DATABASE", ("CREATE SCHEMA",)),),
        page="sql-reference/sql/create-schema",
    ),
    "CREATE STORAGE INTEGRATION": _on_account(
        "CREATE STORAGE INTEGRATION",
        "CREATE INTEGRATION",
        page="sql-reference/sql/create-storage-integration",
    ),
    "ALTER STORAGE INTEGRATION": _owner(
        "INTEGRATION", "sql-reference/sql/alter-storage-integration"
    ),
    "DESC INTEGRATION": PrivilegeRule(
        needs=(_USE_INTEGRATION,), page="sql-reference/sql/desc-integration"
    ),
    "SYSTEM$GET_AWS_SNS_IAM_POLICY": PrivilegeRule(
        needs=(), page="sql-reference/functions/system_get_aws_sns_iam_policy"
    ),
    "SYSTEM$VALIDATE_STORAGE_INTEGRATION": PrivilegeRule(
        needs=(_USE_INTEGRATION,),
        page="sql-reference/functions/system_validate_storage_integration",
        is_sure=False,
    ),
    "CREATE STAGE": _create(
        "CREATE STAGE", "sql-reference/sql/create-stage", _USE_INTEGRATION
    ),
    "CREATE TABLE": _create("CREATE TABLE", "sql-reference/sql/create-table"),
    "CREATE PIPE": _create(
        "CREATE PIPE",
        "sql-reference/sql/create-pipe",
        _USE_STAGE,
        _SELECT,
        _INSERT,
    ),
    "a pipe's load": PrivilegeRule(
        needs=(Need("PIPE", (OWNERSHIP,)), _USE_STAGE, _SELECT, _INSERT),
        page="user-guide/data-load-snowpipe-intro",
    ),
    "SHOW PIPES": PrivilegeRule(
        needs=(_SEE_PIPE,), page="sql-reference/sql/show-pipes"
    ),
    "DESC PIPE": PrivilegeRule(needs=(_SEE_PIPE,), page="sql-reference/sql/desc-pipe"),
    "SYSTEM$PIPE_STATUS": PrivilegeRule(
        needs=(Need("PIPE", ("MONITOR",)),),
        page="user-guide/data-load-snowpipe-manage",
    ),
    # the page names no privilege: whoever may read the table is granted enough
    "SYSTEM$LAST_CHANGE_COMMIT_TIME": PrivilegeRule(
        needs=(_SELECT,),
        page="sql-reference/functions/system_last_change_commit_time",
        is_sure=False,
    ),
    "ALTER PIPE REFRESH": PrivilegeRule(
        needs=(Need("PIPE", ("OPERATE",)), _USE_STAGE, _SELECT, _INSERT),
        page="sql-reference/sql/alter-pipe",
    ),
    "ALTER PIPE SET PIPE_EXECUTION_PAUSED": PrivilegeRule(
        needs=(Need("PIPE", ("OPERATE",)),), page="sql-reference/sql/alter-pipe"
    ),
    "SYSTEM$PIPE_FORCE_RESUME": PrivilegeRule(
        needs=(Need("PIPE", ("OPERATE",)),),
        page="sql-reference/functions/system_pipe_force_resume",
    ),
    "COPY_HISTORY": PrivilegeRule(
        needs=(Need("TABLE"),),
        page="sql-reference/functions/copy_history",
        uses_warehouse=True,
    ),
    "PIPE_NAME of COPY_HISTORY": PrivilegeRule(
        needs=(Need("PIPE", ("MONITOR",)),),
        page="sql-reference/functions/copy_history",
    ),
    "CREATE VIEW": _create("CREATE VIEW", "sql-reference/sql/create-view", _SELECT),
    "CREATE DYNAMIC TABLE": _create(
        "CREATE DYNAMIC TABLE",
        "user-guide/dynamic-tables-privileges",
        _SELECT,
        Need("WAREHOUSE", ("USAGE",)),
    ),
    "a dynamic table's refresh": PrivilegeRule(
        needs=(_SELECT, Need("WAREHOUSE", ("USAGE",))),
        page="user-guide/dynamic-tables-privileges",
    ),
    "SHOW DYNAMIC TABLES": PrivilegeRule(
        needs=(Need("TABLE", ("MONITOR", "OPERATE")),),
        page="user-guide/dynamic-tables-privileges",
    ),
    "DROP TABLE": _owner("TABLE", "sql-reference/sql/drop-table", is_sure=False),
    "DROP PIPE": _owner("PIPE", "sql-reference/sql/drop-pipe"),
    "DROP DATABASE": _owner("DATABASE", "sql-reference/sql/drop-database"),
    "DROP INTEGRATION": _owner("INTEGRATION", "sql-reference/sql/drop-integration"),
    "DROP WAREHOUSE": _owner("WAREHOUSE", "sql-reference/sql/drop-warehouse"),
    "DROP USER": _owner("USER", "sql-reference/sql/drop-user"),
    "DROP ROLE": _owner("ROLE", "sql-reference/sql/drop-role"),
    "SELECT": PrivilegeRule(
        needs=(_SELECT,), page="sql-reference/sql/select", uses_warehouse=True
    ),
    "INSERT": PrivilegeRule(
        needs=(_INSERT,), page="sql-reference/sql/insert", uses_warehouse=True
    ),
    "UPDATE": PrivilegeRule(
        needs=(Need("TABLE", ("UPDATE",)),),
        page="sql-reference/sql/update",
        uses_warehouse=True,
    ),
    "DELETE": PrivilegeRule(
        needs=(Need("TABLE", ("DELETE",)), _SELECT),
        page="sql-reference/sql/delete",
        uses_warehouse=True,
        is_sure=False,
    ),
    "COPY INTO": PrivilegeRule(
        needs=(_INSERT, _USE_STAGE),
        page="sql-reference/sql/copy-into-table",
        uses_warehouse=True,
        is_sure=False,
    ),
}


def fewest(statements: Iterable[str], kind: Kind) -> tuple[str, ...]:
    """The fewest privileges on an object of `kind` with which `statements` may run."""
    choices = [
        need.any_of
        for statement in statements
        for need in RULES[statement].needs
        if need.on == kind and need.any_of
    ]
    chosen: set[str] = set()
    for any_of in sorted(choices, key=len):
        if chosen.isdisjoint(any_of):
            chosen.add(any_of[0])
    return tuple(sorted(chosen))
