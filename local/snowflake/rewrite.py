"""Statements that fakesnow runs, made into what it understands.

Our functions are replaced by what they answer, COPY_HISTORY by its table, the current
time by a value; what the session's role may not read is refused here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import cast

import sqlglot
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp
from sqlglot.errors import ParseError

from lambdas.core.sql.privileges import RULES, Kind
from local.snowflake.access_control import Session, Thing, missing
from local.snowflake.account import (
    Account,
    DynamicTable,
    Stage,
    exists_already,
    not_understood,
)
from local.snowflake.aws_side import PermissionMissing, SnowflakeAws
from local.snowflake.dynamic_tables import REFRESH_COLUMNS, DynamicTables
from local.snowflake.snowpipe import HISTORY, HISTORY_COLUMNS, Snowpipe
from local.snowflake.text import (
    NAME,
    closing,
    complete,
    options,
    outside_quotes,
    text_of,
    texts,
    with_clock,
)

_CREATE_DYNAMIC = re.compile(
    rf"\s*CREATE\s+(?P<replace>OR\s+(?:REPLACE|ALTER)\s+)?DYNAMIC\s+TABLE\s+(?P<name>{NAME})\s+"
    r"(?P<options>.*?)\bAS\s+(?P<query>(?:--[^\n]*\n\s*)*(?:SELECT|WITH)\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_DROP_DYNAMIC = re.compile(
    rf"\s*DROP\s+DYNAMIC\s+TABLE\s+(?P<lenient>IF\s+EXISTS\s+)?(?P<name>{NAME})",
    re.IGNORECASE,
)
_VIEW = re.compile(
    rf"\s*(?:CREATE\s+(?:OR\s+REPLACE\s+)?VIEW|DROP\s+VIEW(?:\s+IF\s+EXISTS)?)\s+"
    rf"(?P<name>{NAME})",
    re.IGNORECASE,
)
_CREATE = re.compile(
    rf"\s*CREATE\s+(?P<replace>OR\s+REPLACE\s+)?(?P<kind>TABLE|VIEW|DATABASE|SCHEMA)"
    rf"\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{NAME})",
    re.IGNORECASE,
)
_DROP = re.compile(
    r"\s*DROP\s+(?P<kind>TABLE|VIEW|DATABASE|SCHEMA)\s+(?P<lenient>IF\s+EXISTS\s+)?"
    rf"(?P<name>{NAME})",
    re.IGNORECASE,
)
_MANAGED = re.compile(r"\bWITH\s+MANAGED\s+ACCESS\b", re.IGNORECASE)
_PART = r'(?:[A-Za-z_][\w$]*|"(?:[^"]|"")+")'
_SOURCE = re.compile(rf"\b(?:FROM|JOIN)\s+({_PART}\.{_PART}\.{_PART})", re.IGNORECASE)
"""A whole name after FROM: a view of 500 branches takes a second to parse."""


class Rewriting:
    """Knows the account that a statement speaks of."""

    def __init__(
        self,
        *,
        account: Account,
        aws: SnowflakeAws,
        snowpipe: Snowpipe,
        dynamic: DynamicTables,
    ) -> None:
        self._account = account
        self._dynamic = dynamic
        self._access = account.access
        self._aws = aws
        self._pipes = snowpipe

    def rewrite(self, text: str, session: Session, now: datetime) -> str:
        """The same for fakesnow: our functions replaced by what they answer.

        Raises ProgrammingError where the session's role may not read.
        """
        text = with_clock(text, now)
        text = self._with_dynamic_tables(text, session, now)
        text = self._with_system_functions(text, session, now)
        text = self._with_copy_history(text, session)
        text = self._with_refresh_history(text, session)
        self._refuse_validation(text, session)
        self._check_access(text, session, now)
        reads = [written for _, written in _reads_of(text)]
        self._dynamic.read([_in(session, one) for one in reads], now)
        return self._created(text, session, now)

    def has_run(self, text: str, session: Session, now: datetime) -> None:
        """It is done: what that means for dynamic tables."""
        self._dynamic.forget_sources()
        if (made := _CREATE_DYNAMIC.match(text)) is not None:
            name = _in(session, made["name"])
            self._dynamic.made(name, now)
            if "REPLACE" in (made["replace"] or "").upper():
                self._dynamic.replaced(name)
        elif (dropped := _DROP_DYNAMIC.match(text)) is not None:
            self._dynamic.dropped(_in(session, dropped["name"]))
        elif (other := _CREATE.match(text)) is not None and other["replace"]:
            kind = other["kind"].upper()
            self._dynamic.replaced(_name_of(kind, other["name"], session))

    def _with_dynamic_tables(self, text: str, session: Session, now: datetime) -> str:
        """A dynamic table as a view, by which fakesnow knows its columns; then it
        shows the rows of its last refresh (`local.snowflake.dynamic_tables`). fakesnow
        itself makes a copy of it, once, which no load ever reaches.
        """
        of_view = _VIEW.match(text)
        if of_view is not None:
            name = complete(of_view["name"], session.database, session.schema)
            self._refuse_other_kind(name, self._account.dynamic_tables)
            return text
        made = _CREATE_DYNAMIC.match(text)
        if made is not None:
            name = complete(made["name"], session.database, session.schema)
            self._refuse_other_kind(name, self._account.views)
            given = options(made["options"])
            if not {"TARGET_LAG", "WAREHOUSE"} <= given.keys():
                raise not_understood(text)
            if name in self._account.dynamic_tables and not made["replace"]:
                raise exists_already(name)
            mode = given.get("REFRESH_MODE", "AUTO").upper()
            table = DynamicTable(
                name=name,
                target_lag=given["TARGET_LAG"],
                warehouse=given["WAREHOUSE"],
                comment=given.get("COMMENT", ""),
                text=text,
                owner=session.role,
                created_at=now,
                due_since=now,
                refresh_mode="INCREMENTAL" if mode == "AUTO" else mode,
            )
            # CREATE OR ALTER keeps the object, and with it its life and its grants
            is_altered = "ALTER" in (made["replace"] or "").upper()
            before = self._account.dynamic_tables.get(name)
            if before is not None and is_altered:
                table = replace(
                    before,
                    target_lag=table.target_lag,
                    warehouse=table.warehouse,
                    comment=table.comment,
                    text=text,
                    refresh_mode=table.refresh_mode,
                )
            self._account.dynamic_tables[name] = table
            is_copied = "COPY GRANTS" in made["options"].upper()
            keeps = "COPY GRANTS" if is_copied or is_altered else ""
            return f"CREATE OR REPLACE VIEW {made['name']} {keeps} AS {made['query']}"
        dropped = _DROP_DYNAMIC.match(text)
        if dropped is not None:
            name = complete(dropped["name"], session.database, session.schema)
            self._refuse_other_kind(name, self._account.views)
            if name in self._account.dynamic_tables:
                self._access.demand(session, "DROP TABLE", {"TABLE": name})
            self._account.dynamic_tables.pop(name, None)
            return f"DROP VIEW {dropped['lenient'] or ''} {dropped['name']}"
        return text

    def _refuse_other_kind(self, name: str, others: Container[str]) -> None:
        """Nothing is replaced or dropped by a statement for another kind."""
        if name in others:
            raise ProgrammingError(
                msg=f"SQL compilation error:\nObject found is of another type: {name}",
                errno=2203,
                sqlstate="42601",
            )

    def _with_system_functions(self, text: str, session: Session, now: datetime) -> str:
        call = re.compile(
            r"SYSTEM\$(?P<function>\w+)\s*\(\s*(?P<given>(?:'(?:[^'\\]|''|\\.)*'\s*,?\s*)*)\)",
            re.IGNORECASE,
        )

        def replace(match: re.Match[str]) -> str:
            given = texts(match["given"])
            if match["function"].upper() == "LAST_CHANGE_COMMIT_TIME":
                return str(self._account.change_mark(session, _in(session, given[0])))
            value = self._system_function(match["function"], given, session, now)
            return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"

        return call.sub(replace, text)

    def _system_function(
        self, function: str, given: Sequence[str], session: Session, now: datetime
    ) -> str:
        match function.upper():
            case "PIPE_STATUS":
                return self._pipes.status(
                    self._account.pipe(
                        session, "SYSTEM$PIPE_STATUS", _in(session, given[0])
                    )
                )
            case "PIPE_FORCE_RESUME":
                pipe = self._account.pipe(
                    session, "SYSTEM$PIPE_FORCE_RESUME", _in(session, given[0])
                )
                self._pipes.pause(pipe, paused=False, now=now, force=len(given) > 1)
                return '"resumed"'
            case "GET_AWS_SNS_IAM_POLICY":
                return self._aws.sns_policy(given[0])
            case "VALIDATE_STORAGE_INTEGRATION":
                return self._validate(given, session, now)
            case other:
                raise not_understood(f"SYSTEM${other}")

    def _validate(self, given: Sequence[str], session: Session, now: datetime) -> str:
        name = complete(given[0], None, None)
        integration = self._account.integrations.get(name)
        if integration is None:
            raise missing("Integration", name)
        self._access.demand(
            session, "SYSTEM$VALIDATE_STORAGE_INTEGRATION", {"INTEGRATION": name}
        )
        bucket, _, prefix = given[1].removeprefix("s3://").partition("/")
        place = Stage(name="", bucket=bucket, prefix=prefix, integration=name)
        try:
            self._aws.listing(integration, place, "", now)
        except PermissionMissing as error:
            listed = {"status": "failure", "message": str(error)}
            return json.dumps({"status": "failure", "actions": {"LIST": listed}})
        return '{"status": "success", "actions": {"LIST": {"status": "success"}}}'

    def _with_copy_history(self, text: str, session: Session) -> str:
        call = re.compile(
            rf"TABLE\s*\(\s*(?:(?P<database>{NAME})\.)?INFORMATION_SCHEMA\.COPY_HISTORY\s*\(",
            re.IGNORECASE,
        )
        match = call.search(text)
        if match is None:
            return text
        end = closing(text, match.end() - 1)
        outer = closing(text, text.index("(", match.start()))
        given = text[match.end() : end]
        named = re.search(r"TABLE_NAME\s*=>\s*('(?:[^']|'')*')", given, re.IGNORECASE)
        since = re.search(
            r"START_TIME\s*=>\s*(.*?)(?:,\s*END_TIME\s*=>\s*(.*))?$", given,
            re.IGNORECASE | re.DOTALL,
        )  # fmt: skip
        if named is None or since is None:
            raise not_understood(text)
        table = complete(text_of(named[1]), session.database, session.schema)
        if Thing("TABLE", table) not in self._access.owners:
            raise missing("Table", table)
        self._access.demand(session, "COPY_HISTORY", {"TABLE": table})
        database, schema, name = table.split(".")
        until = f" AND LAST_LOAD_TIME <= {since[2].strip()}" if since[2] else ""
        rows = (
            f"(SELECT {self._history_columns(session, table)} "
            f"FROM {database}.{HISTORY} "
            f"WHERE TABLE_SCHEMA_NAME = '{schema}' AND TABLE_NAME = '{name}' "
            f"AND LAST_LOAD_TIME >= {since[1].strip()}{until}) AS COPY_HISTORY"
        )
        return text[: match.start()] + rows + text[outer + 1 :]

    def _with_refresh_history(self, text: str, session: Session) -> str:
        """The newest refreshes of the tables that the role may monitor, a week of them
        (Snowflake: DYNAMIC_TABLE_REFRESH_HISTORY, in INFORMATION_SCHEMA).
        """
        call = re.compile(
            rf"TABLE\s*\(\s*(?:(?P<database>{NAME})\.)?INFORMATION_SCHEMA\."
            r"DYNAMIC_TABLE_REFRESH_HISTORY\s*\(",
            re.IGNORECASE,
        )
        match = call.search(text)
        if match is None:
            return text
        self._access.demand_warehouse(session)
        end = closing(text, match.end() - 1)
        outer = closing(text, text.index("(", match.start()))
        given = text[match.end() : end]
        named = re.search(r"\bNAME\s*=>\s*('(?:[^']|'')*')", given, re.IGNORECASE)
        only = named and _in(session, text_of(named[1]))
        is_of_errors = re.search(r"\bERROR_ONLY\s*=>\s*TRUE", given, re.IGNORECASE)
        (monitors,) = RULES["SHOW DYNAMIC TABLES"].needs
        rows = [
            row
            for name, row in self._dynamic.history()
            if only in {None, name}
            and (is_of_errors is None or row["STATE"] != "SUCCEEDED")
            and self._access.has(session.role, monitors, Thing("TABLE", name))
        ]
        return f"{text[: match.start()]}{_selected(rows)}{text[outer + 1 :]}"

    def _history_columns(self, session: Session, table: str) -> str:
        """All of them; a pipe that the role may not monitor has no name."""
        (monitors,) = RULES["PIPE_NAME of COPY_HISTORY"].needs
        seen = [
            pipe.name
            for pipe in self._account.pipes.values()
            if pipe.table == table
            and self._access.has(session.role, monitors, Thing("PIPE", pipe.name))
        ]
        names = ", ".join(f"'{name.rpartition('.')[2]}'" for name in seen) or "''"
        return ", ".join(
            f"CASE WHEN PIPE_NAME IN ({names}) THEN {column} END AS {column}"
            if column.startswith("PIPE_") and column.endswith("_NAME")
            else column
            for column in HISTORY_COLUMNS
        )

    def _refuse_validation(self, text: str, session: Session) -> None:
        """VALIDATE_PIPE_LOAD answers nothing for a pipe whose COPY has a SELECT
        (Snowflake: VALIDATE_PIPE_LOAD, usage notes), as every pipe of catflap has.
        """
        match = re.search(
            r"\bVALIDATE_PIPE_LOAD\s*\(.*?PIPE_NAME\s*=>\s*('(?:[^']|'')*')",
            text,
            re.IGNORECASE | re.DOTALL,
        )
        if match is None:
            return
        pipe = self._account.pipe(session, "DESC PIPE", _in(session, text_of(match[1])))
        if re.search(r"\bFROM\s*\(", pipe.copy_text, re.IGNORECASE) is None:
            raise not_understood(text)
        raise ProgrammingError(
            msg="VALIDATE_PIPE_LOAD does not support a COPY statement that transforms "
            "data during a load",
            errno=2303,
            sqlstate="0A000",
        )

    def _check_access(self, text: str, session: Session, now: datetime) -> None:
        for statement, written in _reads_of(text):
            name = complete(written, session.database, session.schema)
            if "INFORMATION_SCHEMA" in name.upper():
                self._access.demand_warehouse(session)
            else:
                self._access.demand(session, statement, {"TABLE": name})
            if statement != "SELECT":
                self._account.change(name, now)

    def _dropped(self, text: str, session: Session) -> str:
        match = _DROP.match(text)
        if match is None:
            return text
        kind = match["kind"].upper()
        name = _name_of(kind, match["name"], session)
        thing = Thing(cast("Kind", "TABLE" if kind == "VIEW" else kind), name)
        if match["lenient"] and thing not in self._access.owners:
            return _nothing_dropped(text, kind)
        statement = (
            "DROP TABLE" if thing.kind in {"TABLE", "SCHEMA"} else f"DROP {kind}"
        )
        self._access.demand(session, statement, {thing.kind: name})
        self._access.forget(thing)
        self._account.views.discard(name)
        if kind not in {"DATABASE", "SCHEMA"}:
            return text
        self._account.drop_below(name)
        if kind == "SCHEMA":
            return text
        self._pipes.drop_database(name)
        return f"SELECT '{name} successfully dropped.' AS \"status\""

    def _created(self, text: str, session: Session, now: datetime) -> str:
        match = _CREATE.match(text)
        if match is None:
            return self._dropped(text, session)
        kind = match["kind"].upper()
        name = _name_of(kind, match["name"], session)
        thing = Thing(cast("Kind", "TABLE" if kind == "VIEW" else kind), name)
        self._demand_creation(text, session, kind, thing)
        if kind == "VIEW" and name not in self._account.dynamic_tables:
            self._account.views.add(name)
        keeps = re.search(r"\bCOPY\s+GRANTS\b", text, re.IGNORECASE) is not None
        if match["replace"] and not keeps:
            self._access.forget_grants(thing)
        is_new = thing not in self._access.owners
        if kind == "TABLE" and (is_new or match["replace"]):
            self._account.change(name, now)
        self._access.owners.setdefault(thing, session.role)
        if kind == "DATABASE" and is_new:
            for schema in ("INFORMATION_SCHEMA", "PUBLIC"):
                self._access.owners[Thing("SCHEMA", f"{name}.{schema}")] = session.role
        if kind == "SCHEMA":
            text, managed = _MANAGED.subn("", text)
            if managed and is_new:
                self._account.managed_schemas.add(name)
        return outside_quotes(r"\bCOPY\s+GRANTS\b", lambda _: "", text)

    def _demand_creation(
        self, text: str, session: Session, kind: str, thing: Thing
    ) -> None:
        parent = thing.name.rpartition(".")[0]
        within: dict[Kind, str] = {"SCHEMA": parent}
        if kind == "SCHEMA":
            within = {"DATABASE": parent}
        if kind == "VIEW" and thing.name in self._account.dynamic_tables:
            kind = "DYNAMIC TABLE"
            within["WAREHOUSE"] = self._account.dynamic_tables[thing.name].warehouse
        self._access.demand(session, f"CREATE {kind}", within)
        if kind in {"VIEW", "DYNAMIC TABLE"}:
            for source in set(_SOURCE.findall(text)):
                name = complete(source, session.database, session.schema)
                self._access.demand(session, f"CREATE {kind}", {"TABLE": name})
        if thing in self._access.owners:
            self._access.demand(session, "DROP TABLE", {thing.kind: thing.name})


@lru_cache(maxsize=512)
def _reads_of(text: str) -> tuple[tuple[str, str], ...]:
    if not re.match(
        r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE|MERGE|\()", text, re.IGNORECASE
    ):
        return ()
    try:
        statement = sqlglot.parse_one(text, read="snowflake")
    except ParseError:
        return ()  # fakesnow will say so
    named = {cte.alias_or_name.upper() for cte in statement.find_all(exp.CTE)}
    target = (
        statement.this.find(exp.Table)
        if isinstance(statement, exp.Insert | exp.Update | exp.Delete | exp.Merge)
        and isinstance(statement.this, exp.Expr)
        else None
    )
    privilege = type(statement).__name__.upper()
    if privilege == "MERGE":
        privilege = "UPDATE"
    return tuple(
        (privilege if table is target else "SELECT", _dotted(table))
        for table in statement.find_all(exp.Table)
        if table.name and (table.db or table.name.upper() not in named)
    )


def _selected(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of texts and times in place of a table."""
    names = [name for name, _ in REFRESH_COLUMNS]
    values = [
        ", ".join(
            f"{_literal(row[name])}::{kind} AS {name}" for name, kind in REFRESH_COLUMNS
        )
        for row in rows
    ] or [", ".join(f"NULL::{kind} AS {name}" for name, kind in REFRESH_COLUMNS)]
    united = " UNION ALL ".join(f"SELECT {one}" for one in values)
    where = "" if rows else f" WHERE {names[0]} IS NOT NULL"
    return f"(SELECT * FROM ({united}){where}) AS REFRESH_HISTORY"


def _literal(value: object) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def _nothing_dropped(text: str, kind: str) -> str:
    """DuckDB has no word for dropping a database."""
    said = "Drop statement executed successfully."
    return f"SELECT '{said}' AS \"status\"" if kind == "DATABASE" else text


def _name_of(kind: str, written: str, session: Session) -> str:
    match kind:
        case "DATABASE":
            return complete(written, None, None)
        case "SCHEMA":
            name = complete(written, None, None)
            has_its_own = "." in name or session.database is None
            return name if has_its_own else f"{session.database}.{name}"
        case _:
            return complete(written, session.database, session.schema)


def _dotted(table: exp.Table) -> str:
    def written(part: exp.Expr) -> str:
        quoted = isinstance(part, exp.Identifier) and part.quoted
        return f'"{part.name}"' if quoted else part.name

    return ".".join(written(part) for part in table.parts)


def _in(session: Session, name: str) -> str:
    return complete(name, session.database, session.schema)
