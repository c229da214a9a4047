"""Who may do what: the role that watches, and the users that come without a secret."""

from __future__ import annotations

from lambdas.core.sql import names


def create_reader(reader_role: str) -> str:
    """The role of the freshness function, or of the repair function."""
    return f"CREATE ROLE IF NOT EXISTS {names.identifier(reader_role)}"


def create_service_user(user: str, role: str, aws_role_arn: str) -> tuple[str, ...]:
    """A user that signs in as an AWS role. Workload identity knows that role by its
    name, so it must have no path.
    """
    create = (
        f"CREATE USER IF NOT EXISTS {names.identifier(user)} TYPE = SERVICE "
        f"DEFAULT_ROLE = {names.identifier(role)} "
        f"WORKLOAD_IDENTITY = (TYPE = AWS ARN = {names.literal(aws_role_arn)})"
    )
    return (
        create,
        f"GRANT ROLE {names.identifier(role)} TO USER {names.identifier(user)}",
    )


def reader_grants(database: str, warehouse: str, reader_role: str) -> tuple[str, ...]:
    """What the reader needs once, whatever datasets there are."""
    role = names.identifier(reader_role)
    home = names.identifier(database)
    schemas = (names.RAW_SCHEMA, names.ANALYTICS_SCHEMA, names.CATFLAP_SCHEMA)
    return (
        f"GRANT USAGE ON WAREHOUSE {names.identifier(warehouse)} TO ROLE {role}",
        f"GRANT USAGE ON DATABASE {home} TO ROLE {role}",
        *(
            f"GRANT USAGE ON SCHEMA {home}.{schema} TO ROLE {role}"
            for schema in schemas
        ),
    )


def grant_select(kind: str, name: str, reader_role: str) -> str:
    """SELECT on a TABLE, VIEW or DYNAMIC TABLE."""
    return f"GRANT SELECT ON {kind} {name} TO ROLE {names.identifier(reader_role)}"


def grant_monitor(pipe: str, reader_role: str) -> str:
    """MONITOR on a pipe: to read its status and its load history."""
    return f"GRANT MONITOR ON PIPE {pipe} TO ROLE {names.identifier(reader_role)}"


def grant_operate(pipe: str, role: str) -> str:
    """OPERATE on a pipe: to refresh and to resume it."""
    return f"GRANT OPERATE ON PIPE {pipe} TO ROLE {names.identifier(role)}"


def grant_delete(table: str, role: str) -> str:
    """DELETE on a table whose old runs are removed."""
    return f"GRANT DELETE ON TABLE {table} TO ROLE {names.identifier(role)}"


def bootstrap(
    *,
    admin_user: str,
    admin_role: str,
    admin_aws_role_arn: str,
    reader_user: str,
    reader_role: str,
    reader_aws_role_arn: str,
    repairer_user: str,
    repairer_role: str,
    repairer_aws_role_arn: str,
    warehouse: str,
) -> tuple[str, ...]:
    """What an account administrator runs once: three users that sign in as AWS roles,
    and what the one that deploys needs to make everything else.
    """
    admin = names.identifier(admin_role)
    reader = names.identifier(reader_role)
    size = names.identifier(warehouse)
    create_warehouse = (
        f"CREATE WAREHOUSE IF NOT EXISTS {size} WAREHOUSE_SIZE = XSMALL "
        "AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE"
    )
    return (
        create_warehouse,
        f"CREATE ROLE IF NOT EXISTS {admin}",
        f"CREATE ROLE IF NOT EXISTS {reader}",
        *create_service_user(admin_user, admin_role, admin_aws_role_arn),
        f"CREATE ROLE IF NOT EXISTS {names.identifier(repairer_role)}",
        *create_service_user(reader_user, reader_role, reader_aws_role_arn),
        *create_service_user(repairer_user, repairer_role, repairer_aws_role_arn),
        f"GRANT CREATE DATABASE ON ACCOUNT TO ROLE {admin}",
        f"GRANT CREATE INTEGRATION ON ACCOUNT TO ROLE {admin}",
        f"GRANT CREATE ROLE ON ACCOUNT TO ROLE {admin}",
        f"GRANT USAGE ON WAREHOUSE {size} TO ROLE {admin} WITH GRANT OPTION",
    )
