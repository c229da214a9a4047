"""Statements that show who was granted what. None of them needs a warehouse
(Snowflake: SHOW GRANTS).
"""

from __future__ import annotations

from lambdas.core.sql import names


def grants_on_table(database: str, dataset: str) -> str:
    """Who holds what on a raw table."""
    return f"SHOW GRANTS ON TABLE {names.raw_table(database, dataset)}"


def grants_on_relation(database: str, dataset: str, *, is_dynamic: bool) -> str:
    """The same of what people read."""
    kind = "DYNAMIC TABLE" if is_dynamic else "VIEW"
    return f"SHOW GRANTS ON {kind} {names.analytics_view(database, dataset)}"


def holders_of(kind: str, role: str) -> str:
    """To whom a role was granted; kind and name are as SHOW GRANTS writes them."""
    written = ".".join(names.quoted(part) for part in role.split("."))
    return f"SHOW GRANTS OF {kind.replace('_', ' ')} {written}"
