"""The SQL that people write into quality checks: what cannot be read, or is not there.

Only the relation that is checked is known by its columns; of other tables in a query,
and where columns are taken from the data, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from lambdas.core.dataset import QualityCheck, SqlModel
from lambdas.core.rules.findings import Finding
from project.compilation import compiled

_RELATION = "{table}"
_NAMED = f'"{_RELATION}"'
"""The relation in a query: no table is called so."""
_OF_OTHERS = " without ref"


def check_sql_findings(
    checks: Sequence[QualityCheck], columns: tuple[str, ...] | None
) -> Iterator[Finding]:
    """What is wrong in the queries and filters of some checks of one relation."""
    for place, check in enumerate(checks):
        if check.query is not None:
            sql = check.query.strip().rstrip(";").replace("${table}", _RELATION)
            sql = sql.replace(_RELATION, _NAMED)
            sql = sql.replace("${column}", check.column or "${column}")
            yield from _findings(place, "query", sql, columns)
        if check.filter is not None:
            sql = f"select 1 from {_NAMED} where {check.filter}\n"  # noqa: S608 - read, never run
            if _is_condition(sql):
                yield from _findings(place, "filter", sql, columns)
            else:
                yield Finding(
                    key=("quality", place, "filter"),
                    sentence="cannot be read as a condition; accepted: what may follow "
                    "WHERE in Snowflake's SQL, such as `price > 0`",
                )


def _findings(
    place: int, key: str, sql: str, columns: tuple[str, ...] | None
) -> Iterator[Finding]:
    found = compiled(SqlModel(name="checked", sql=sql), {_RELATION: columns})
    for fault in found.faults:
        if _OF_OTHERS not in fault.sentence:
            line = f"line {fault.line} of it: " if "\n" in sql.strip() else ""
            yield Finding(
                key=("quality", place, key), sentence=f"{line}{fault.sentence}"
            )


def _is_condition(sql: str) -> bool:
    """Whether nothing but a WHERE follows the relation."""
    try:
        statements = sqlglot.parse(sql, read="snowflake")
    except SqlglotError:
        return False
    one = statements[0] if len(statements) == 1 else None
    parts = {"expressions", "from", "from_", "where"}
    return isinstance(one, exp.Select) and not any(
        value for name, value in one.args.items() if name not in parts
    )
