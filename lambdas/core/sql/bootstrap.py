"""What an account administrator runs once in Snowflake before the first deploy, and its
opposite. The embedded Snowflake knows the users and roles that this text has made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lambdas.core.sql import access, loading, names
from lambdas.core.sql.account_usage import ViewerRole, grant_to


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUser:
    """A user that a function signs in as. It proves itself as the AWS role of the
    function, or with a private key where there is no such role.
    """

    user: str
    role: str
    function: str
    aws_role_arn: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Statements, and why they are needed."""

    why: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who works in the account for one environment, and where. `reads_queries`: reports
    may read what anybody in the account asked, to say who used what.
    """

    admin: ServiceUser
    reader: ServiceUser
    repairer: ServiceUser
    reporter: ServiceUser
    warehouse: str
    database: str
    reads_queries: bool = False

    @property
    def users(self) -> tuple[ServiceUser, ...]:
        """All four."""
        return (self.admin, self.reader, self.repairer, self.reporter)

    def bootstrap(self) -> Iterator[Step]:
        """What makes users, roles and warehouse. It may be run again."""
        size = names.identifier(self.warehouse)
        admin = names.identifier(self.admin.role)
        yield Step(
            why="The warehouse. It suspends itself after a minute without work.",
            statements=(
                "USE ROLE SYSADMIN",
                _create_warehouse(size),
            ),
        )
        yield Step(
            why="Four roles: one makes and owns the objects, one reads, one repairs, "
            "one reads what the account was used for. The first is granted to "
            "SYSADMIN, so that administrators can reach what it owns.",
            statements=(
                "USE ROLE USERADMIN",
                *(
                    f"CREATE ROLE IF NOT EXISTS {names.identifier(one.role)}"
                    for one in self.users
                ),
                admin_to_sysadmin(self.admin.role),
            ),
        )
        for one in self.users:
            yield _user(one)
        allow = "GRANT CREATE DATABASE, CREATE STORAGE INTEGRATION ON ACCOUNT TO ROLE"
        yield Step(
            why="The admin makes the database, and the storage integration that reads "
            "the landing bucket. It may make nothing else in the account.",
            statements=(
                "USE ROLE SECURITYADMIN",
                f"{allow} {admin}",
            ),
        )
        yield Step(
            why="All four run statements on the warehouse.",
            statements=(
                "USE ROLE SYSADMIN",
                *(
                    f"GRANT USAGE ON WAREHOUSE {size} "
                    f"TO ROLE {names.identifier(one.role)}"
                    for one in self.users
                ),
            ),
        )
        viewers = [ViewerRole.USAGE, ViewerRole.SECURITY]
        queries = "They do not read who asked what"
        if self.reads_queries:
            viewers.append(ViewerRole.GOVERNANCE)
            queries = "They read the text of every query of the account"
        yield Step(
            why="Reports of cost and access read Snowflake's own views of usage and "
            f"of grants, and no data. {queries} (reads_queries).",
            statements=(
                "USE ROLE ACCOUNTADMIN",
                *grant_to(self.reporter.role, viewers),
            ),
        )

    def teardown(self) -> Iterator[Step]:
        """What removes all of it, the data too. After the stacks are gone."""
        integration = names.identifier(loading.integration_name(self.database))
        yield Step(
            why="THE DATA: every table, view and pipe goes with the database.",
            statements=(
                "USE ROLE SYSADMIN",
                f"DROP DATABASE IF EXISTS {names.identifier(self.database)}",
            ),
        )
        yield Step(
            why="The storage integration, and the warehouse if nobody else uses it.",
            statements=(
                f"DROP INTEGRATION IF EXISTS {integration}",
                f"DROP WAREHOUSE IF EXISTS {names.identifier(self.warehouse)}",
            ),
        )
        yield Step(
            why="The users and their roles.",
            statements=(
                "USE ROLE USERADMIN",
                *(
                    f"DROP USER IF EXISTS {names.identifier(one.user)}"
                    for one in self.users
                ),
                *(
                    f"DROP ROLE IF EXISTS {names.identifier(one.role)}"
                    for one in self.users
                ),
            ),
        )

    def share_with(self, role: str) -> str:
        """Let the holders of `role` read ANALYTICS, once something is deployed."""
        return (
            f"GRANT DATABASE ROLE {access.analytics_reader(self.database)} "
            f"TO ROLE {names.identifier(role)}"
        )


def _create_warehouse(name: str) -> str:
    return (
        f"CREATE WAREHOUSE IF NOT EXISTS {name} WAREHOUSE_SIZE = XSMALL "
        "AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE"
    )


def _user(one: ServiceUser) -> Step:
    user, role = names.identifier(one.user), names.identifier(one.role)
    create = f"CREATE USER IF NOT EXISTS {user} TYPE = SERVICE DEFAULT_ROLE = {role}"
    why = (
        f"The {one.function} function signs in as {one.user}, without a secret: "
        "Snowflake knows it by its AWS role."
    )
    if one.aws_role_arn is None:
        why = (
            f"The {one.function} function signs in as {one.user} with a private key. "
            f"Set its public half: ALTER USER {user} SET RSA_PUBLIC_KEY = '…'."
        )
    else:
        create += (
            f" WORKLOAD_IDENTITY = (TYPE = AWS ARN = {names.literal(one.aws_role_arn)})"
        )
    return Step(why=why, statements=(create, role_to_user(one.role, one.user)))


def admin_to_sysadmin(admin: str) -> str:
    """Let administrators reach what the admin owns."""
    return f"GRANT ROLE {names.identifier(admin)} TO ROLE SYSADMIN"


def role_to_user(role: str, user: str) -> str:
    """Let a user of ours act as its role."""
    return f"GRANT ROLE {names.identifier(role)} TO USER {names.identifier(user)}"
