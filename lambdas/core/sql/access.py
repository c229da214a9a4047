"""What the functions' roles are granted: what their statements need, and no more.

The admin owns what it makes. Users and roles are made by a person (`bootstrap`). People
read ANALYTICS by the database role ANALYTICS_READER, which whoever administers the
account grants on.
"""

from __future__ import annotations

from collections.abc import Iterator

from lambdas.core.sql import names
from lambdas.core.sql.privileges import fewest

ANALYTICS_READER = "ANALYTICS_READER"

READER_STATEMENTS = (
    "SELECT",
    "SYSTEM$LAST_CHANGE_COMMIT_TIME",
    "SYSTEM$PIPE_STATUS",
    "DESC PIPE",
    "COPY_HISTORY",
    "PIPE_NAME of COPY_HISTORY",
)
"""The statements of the freshness function."""

REPAIRER_STATEMENTS = (
    "SELECT",
    "SHOW PIPES",
    "DESC PIPE",
    "SYSTEM$PIPE_STATUS",
    "COPY_HISTORY",
    "PIPE_NAME of COPY_HISTORY",
    "ALTER PIPE REFRESH",
    "ALTER PIPE SET PIPE_EXECUTION_PAUSED",
    "SYSTEM$PIPE_FORCE_RESUME",
)
"""The statements of the repair function. REFRESH asks for INSERT on the table, so that
this role could write rows, which nothing of it does."""

REMOVES_OLD_RUNS = (*REPAIRER_STATEMENTS, "DELETE")
"""The same for a dataset of which old runs are removed."""


def analytics_reader(database: str) -> str:
    """`DB.ANALYTICS_READER`: whoever holds it reads the relations of ANALYTICS."""
    return f"{names.identifier(database)}.{ANALYTICS_READER}"


def shared_grants(database: str, *, reader: str, repairer: str) -> Iterator[str]:
    """What does not depend on the datasets."""
    home = names.identifier(database)
    people = analytics_reader(database)
    yield f"CREATE DATABASE ROLE IF NOT EXISTS {people}"
    analytics = f"SCHEMA {home}.{names.ANALYTICS_SCHEMA}"
    yield f"GRANT USAGE ON {analytics} TO DATABASE ROLE {people}"
    yield f"GRANT DATABASE ROLE {people} TO ROLE {names.identifier(reader)}"
    raw = f"SCHEMA {home}.{names.RAW_SCHEMA}"
    # the reader has the database by the database role
    yield _grant(("USAGE",), f"DATABASE {home}", repairer)
    for role in (reader, repairer):
        yield _grant(("USAGE",), raw, role)
    yield _grant(("USAGE",), f"SCHEMA {home}.{names.CATFLAP_SCHEMA}", reader)
    yield _grant(
        fewest(REPAIRER_STATEMENTS, "STAGE"), f"STAGE {names.stage(database)}", repairer
    )


def runs_table_grant(database: str, *, repairer: str) -> str:
    """On the table of complete runs, which only the repairer asks for by name."""
    table = names.runs_table(database)
    return _grant(fewest(REPAIRER_STATEMENTS, "TABLE"), f"TABLE {table}", repairer)


def checks_table_grants(database: str, *, reader: str) -> str:
    """On the table of results, which the freshness function writes, and of which it
    drops old ones.
    """
    table = names.checks_table(database)
    return _grant(fewest(("INSERT", "DELETE"), "TABLE"), f"TABLE {table}", reader)


def released_table_grants(
    database: str, *, reader: str, repairer: str
) -> Iterator[str]:
    """On the table of what circuit breakers show: the freshness function writes it, and
    the repair function removes no run that is shown.
    """
    table = names.released_table(database)
    yield _grant(fewest(("SELECT", "INSERT"), "TABLE"), f"TABLE {table}", reader)
    yield _grant(fewest(("SELECT",), "TABLE"), f"TABLE {table}", repairer)
    runs = names.runs_table(database)
    yield _grant(fewest(("SELECT",), "TABLE"), f"TABLE {runs}", reader)


def raw_table_grants(
    table: str, *, reader: str, repairer: str, removes_old_runs: bool
) -> Iterator[str]:
    """On the raw table of a dataset."""
    mends = REMOVES_OLD_RUNS if removes_old_runs else REPAIRER_STATEMENTS
    yield _grant(fewest(READER_STATEMENTS, "TABLE"), f"TABLE {table}", reader)
    yield _grant(fewest(mends, "TABLE"), f"TABLE {table}", repairer)


def runs_pipe_grant(database: str, *, repairer: str) -> str:
    """On the pipe of that table."""
    pipe = names.runs_pipe(database)
    return _grant(fewest(REPAIRER_STATEMENTS, "PIPE"), f"PIPE {pipe}", repairer)


def pipe_grants(pipe: str, *, reader: str, repairer: str) -> Iterator[str]:
    """On the pipe of a dataset."""
    yield _grant(fewest(READER_STATEMENTS, "PIPE"), f"PIPE {pipe}", reader)
    yield _grant(fewest(REPAIRER_STATEMENTS, "PIPE"), f"PIPE {pipe}", repairer)


def relation_grant(kind: str, relation: str, database: str) -> str:
    """On a VIEW or DYNAMIC TABLE that people read. Named one by one: what a grant on
    FUTURE objects means for one made with COPY GRANTS is not documented.
    """
    return (
        f"GRANT SELECT ON {kind} {relation} "
        f"TO DATABASE ROLE {analytics_reader(database)}"
    )


def dynamic_table_grant(relation: str, *, reader: str) -> str:
    """On a DYNAMIC TABLE, so that the monitor sees whether it is refreshed."""
    monitors = fewest(["SHOW DYNAMIC TABLES"], "TABLE")
    return _grant(monitors, f"DYNAMIC TABLE {relation}", reader)


def freshness_view_grant(view: str, *, reader: str) -> str:
    """On a view of the monitor's own."""
    return _grant(fewest(READER_STATEMENTS, "TABLE"), f"VIEW {view}", reader)


def _grant(privileges: tuple[str, ...], on: str, role: str) -> str:
    return f"GRANT {', '.join(privileges)} ON {on} TO ROLE {names.identifier(role)}"
