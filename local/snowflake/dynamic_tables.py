"""The life of dynamic tables: refreshed, failed, suspended, computed anew.

After Snowflake's pages "Dynamic table refresh", "Troubleshooting dynamic table
refresh" and "Working with dynamic tables". A refresh comes with its lag, and besides
whenever somebody reads the table: Snowflake may come sooner than it has to. What a
failed or suspended table shows are the rows of its last refresh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import duckdb
from snowflake.connector.errors import ProgrammingError

from lambdas.core.sql.target_lag import parse_target_lag
from local.snowflake.access_control import missing
from local.snowflake.account import Account, DynamicTable, Refresh

MOST_FAILURES = 5
"""Scheduled refreshes in a row that fail, until the table is suspended with all below
it ("Troubleshooting", automatic suspension).
"""
REFRESH_COLUMNS = (
    *((one, "VARCHAR") for one in (
        "NAME", "SCHEMA_NAME", "DATABASE_NAME", "STATE", "STATE_CODE", "STATE_MESSAGE",
        "QUERY_ID",
    )),
    *((one, "TIMESTAMP_TZ") for one in (
        "DATA_TIMESTAMP", "REFRESH_START_TIME", "REFRESH_END_TIME",
    )),
    *((one, "VARCHAR") for one in (
        "QUALIFIED_NAME", "REFRESH_ACTION", "REFRESH_TRIGGER", "REINIT_REASON",
    )),
    ("TARGET_LAG_SEC", "NUMBER"),
)  # fmt: skip
"""What the history answers of each refresh, as far as catflap asks."""
_ROWS = "_fs_global._fs_information_schema"
_PART = r'(?:[A-Za-z_][\w$]*|"(?:[^"]|"")+")'
_NAME = re.compile(rf"(?<![\w\".])(?:{_PART}\.)?{_PART}\.{_PART}(?![\w\".])")
_SELECT = re.compile(
    r"\bAS\s*(?P<query>(?:\(|\b(?:SELECT|WITH|FROM)\b).*?);?\s*$", re.DOTALL
)
_MOST = 10_000
"""Relations that one is made from."""


class DynamicTables:
    """All of an account. Its caller holds the account's lock."""

    def __init__(
        self, *, account: Account, connection: duckdb.DuckDBPyConnection
    ) -> None:
        self._account = account
        self._duck = connection
        self._sources: dict[str, frozenset[str]] = {}
        """What each relation is made from, as far as it was asked."""

    # what statements do ---------------------------------------------------------

    def made(self, name: str, now: datetime) -> None:
        """A view of its SELECT has been made: take that, and fill the table."""
        table = self._account.dynamic_tables[name]
        query = self._view_query(name)
        if query is None:
            raise missing("Dynamic table", name)
        is_new = table.query != query
        self._account.dynamic_tables[name] = replace(table, query=query)
        self._sources.clear()
        if is_new or not table.refreshes:
            why = "CREATE" if not table.refreshes else "DEFINITION CHANGED"
            self._refresh(name, now, trigger="CREATION", reinit=why)
        self._show(name)

    def replaced(self, name: str) -> None:
        """A table or view was made by CREATE OR REPLACE: what is refreshed by changes
        of it has to be computed anew ("Dynamic table refresh modes").
        """
        self._sources.clear()
        for below in self._below(name):
            table = self._account.dynamic_tables[below]
            if table.refresh_mode != "FULL":
                anew = replace(table, reinit="UPSTREAM REPLACED")
                self._account.dynamic_tables[below] = anew

    def forget_sources(self) -> None:
        """Some object was made or dropped."""
        self._sources.clear()

    def dropped(self, name: str) -> None:
        """Its rows go with it."""
        self._sources.clear()
        self._duck.execute(f"DROP TABLE IF EXISTS {_rows_of(name)}")

    def refresh(self, name: str, now: datetime) -> Refresh:
        """ALTER … REFRESH: what it is made from comes first. A failure does not count
        to the five, a success ends the count.
        """
        for one in (*self._above(name), name):
            done = self._refresh(one, now, trigger="MANUAL")
        if done.state != "SUCCEEDED":
            raise ProgrammingError(
                msg=f"Dynamic Table refresh failed: {done.message}",
                errno=91928,
                sqlstate="22000",
            )
        return done

    def suspend(self, name: str, now: datetime, *, reason: str) -> None:
        """With all below it."""
        for one in (name, *self._below(name)):
            table = self._account.dynamic_tables[one]
            if table.suspended_at is None:
                why = reason if one == name else "UPSTREAM_" + reason
                changed = replace(table, suspended_at=now, suspended_by=why)
                self._account.dynamic_tables[one] = changed

    def resume(self, name: str, now: datetime) -> None:
        """With those below it that were suspended because it was. What it is made from
        has to be resumed before.
        """
        tables = self._account.dynamic_tables
        stopped = [one for one in self._above(name) if tables[one].suspended_at]
        if stopped:
            raise ProgrammingError(
                msg=f"Dynamic Table {name} cannot be resumed: upstream "
                f"{', '.join(stopped)} is suspended",
                errno=91930,
                sqlstate="22000",
            )
        for one in (name, *self._below(name)):
            by = tables[one].suspended_by or ""
            if one == name or by.startswith("UPSTREAM_"):
                tables[one] = replace(
                    tables[one], suspended_at=None, suspended_by=None, failures=0,
                    due_since=now,
                )  # fmt: skip

    def history(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Each refresh that is remembered, with its table: `REFRESH_COLUMNS`."""
        for name, table in self._account.dynamic_tables.items():
            database, schema, own = name.split(".", 2)
            lag = self._lag(name)
            for number, one in enumerate(table.refreshes):
                yield name, {
                    "NAME": own, "SCHEMA_NAME": schema, "DATABASE_NAME": database,
                    "STATE": one.state,
                    "STATE_CODE": "SUCCESS" if one.state == "SUCCEEDED" else one.state,
                    "STATE_MESSAGE": one.message or None,
                    "QUERY_ID": f"{name} {number}",
                    "DATA_TIMESTAMP": one.at, "REFRESH_START_TIME": one.at,
                    "REFRESH_END_TIME": one.at, "QUALIFIED_NAME": name,
                    "REFRESH_ACTION": one.action, "REFRESH_TRIGGER": one.trigger,
                    "REINIT_REASON": one.reinit,
                    "TARGET_LAG_SEC": None if lag is None else int(lag.total_seconds()),
                }  # fmt: skip

    # time -------------------------------------------------------------------------

    def settle(self, now: datetime) -> None:
        """Have done what was scheduled up to now."""
        for name in self._in_order():
            table = self._account.dynamic_tables[name]
            lag = self._lag(name)
            if table.suspended_at is not None or lag is None:
                continue
            missed = (now - table.due_since) // lag
            if missed < 1:
                continue
            done = self._refresh(name, now, trigger="SCHEDULED")
            table = self._account.dynamic_tables[name]
            failures = table.failures
            if done.state == "FAILED":
                # had it failed at the first, it would have at the others
                failures = min(failures + missed, MOST_FAILURES)
            self._account.dynamic_tables[name] = replace(
                table, due_since=table.due_since + missed * lag, failures=failures
            )
            if failures >= MOST_FAILURES:
                self.suspend(name, now, reason="SUSPENDED_DUE_TO_ERRORS")

    def read(self, names: Sequence[str], now: datetime) -> None:
        """Somebody reads these relations: what they show is brought up to date."""
        if not self._account.dynamic_tables:
            return
        wanted = {one for name in names for one in self._reached(name)}
        for name in self._in_order():
            table = self._account.dynamic_tables[name]
            if (
                name in wanted
                and table.suspended_at is None
                and self._lag(name) is not None
                and table.failures == 0
            ):
                self._refresh(name, now, trigger=None)

    def _refresh(
        self,
        name: str,
        now: datetime,
        *,
        trigger: str | None,
        reinit: str | None = None,
    ) -> Refresh:
        """Compute it. Without a trigger it is not remembered, and may fail."""
        table = self._account.dynamic_tables[name]
        above = [self._account.dynamic_tables[one] for one in self._direct(name)]
        if trigger != "CREATION" and any(one.is_failing for one in above):
            done = Refresh(state="UPSTREAM_FAILED", at=now, trigger=trigger or "")
        else:
            done = self._computed(table, now, trigger or "", reinit or table.reinit)
        succeeded = done.state == "SUCCEEDED"
        if trigger is None and not succeeded:
            return done
        kept = table.refreshes if trigger is None else (*table.refreshes, done)
        self._account.dynamic_tables[name] = replace(
            table,
            refreshes=kept[-1_000:],
            data_at=now if succeeded else table.data_at,
            failures=0 if succeeded else table.failures,
            is_failing=not succeeded,
            reinit=table.reinit if trigger is None or not succeeded else None,
        )
        return done

    def _computed(
        self, table: DynamicTable, now: datetime, trigger: str, reinit: str | None
    ) -> Refresh:
        rows, before = _rows_of(table.name), self._mark(table.name)
        database, schema, _ = table.name.split(".", 2)
        try:
            # DuckDB leaves out the database of a view that names others of its own
            self._duck.execute(f'USE "{database}"."{schema}"')
            self._duck.execute(f"CREATE OR REPLACE TABLE {rows} AS {table.query}")
        except duckdb.Error as error:
            if trigger == "CREATION":
                raise ProgrammingError(
                    msg=f"SQL compilation error: {error}", errno=2003, sqlstate="42S02"
                ) from error
            return Refresh(
                state="FAILED", at=now, trigger=trigger, message=str(error)[:500]
            )
        action = "INCREMENTAL" if table.refresh_mode != "FULL" else "FULL"
        if reinit is not None:
            action = "REINITIALIZE"
        elif before == self._mark(table.name):
            action = "NO_DATA"
        return Refresh(
            state="SUCCEEDED", at=now, trigger=trigger, action=action, reinit=reinit
        )

    def _mark(self, name: str) -> object:
        """Of its rows, to see whether a refresh changed any; None without a table."""
        try:
            return self._duck.execute(
                f"SELECT COUNT(*), BIT_XOR(HASH(t)) FROM {_rows_of(name)} AS t"
            ).fetchall()
        except duckdb.Error:
            return None

    def _view_query(self, name: str) -> str | None:
        """The SELECT of a view, in DuckDB's words; None if there is none."""
        found = self._duck.execute(
            "SELECT sql FROM duckdb_views() WHERE database_name || '.' || schema_name "
            "|| '.' || view_name = ?",
            [name],
        ).fetchone()
        match = _SELECT.search(str(found[0])) if found is not None else None
        return None if match is None else match["query"]

    def _show(self, name: str) -> None:
        """People read its rows, as they were at the last refresh."""
        quoted = ".".join(f'"{part}"' for part in name.split(".", 2))
        self._duck.execute(
            f"CREATE OR REPLACE VIEW {quoted} AS SELECT * FROM {_rows_of(name)}"
        )

    # the graph ----------------------------------------------------------------------

    def _lag(self, name: str) -> timedelta | None:
        """How often it is refreshed: DOWNSTREAM as others need it, or never."""
        table = self._account.dynamic_tables[name]
        if table.target_lag.upper() != "DOWNSTREAM":
            return parse_target_lag(table.target_lag.lower())
        lags = [
            lag
            for other in self._account.dynamic_tables
            if name in self._direct(other) and (lag := self._lag(other)) is not None
        ]
        return min(lags, default=None)

    def _direct(self, name: str) -> list[str]:
        """The dynamic tables that one is made from, by way of views or not."""
        found: list[str] = []
        seen: set[str] = set()
        left = [*self._sources_of(name)]
        while left and len(seen) < _MOST:
            one = left.pop()
            if one in seen:
                continue
            seen.add(one)
            if one in self._account.dynamic_tables:
                found.append(one)
            else:
                left += self._sources_of(one)
        return found

    def _reached(self, name: str) -> set[str]:
        """The dynamic tables that somebody reads who reads this relation."""
        near = [name] if name in self._account.dynamic_tables else self._direct(name)
        return {*near, *(above for one in near for above in self._above(one))}

    def _above(self, name: str) -> list[str]:
        found: dict[str, None] = {}
        for one in self._direct(name):
            found |= dict.fromkeys([*self._above(one), one])
        return list(found)

    def _below(self, name: str) -> list[str]:
        """The dynamic tables that are made from a relation, in their order."""
        reached = {name}
        found = []
        for one in self._in_order():
            if one != name and reached.intersection(self._all_sources(one)):
                reached.add(one)
                found.append(one)
        return found

    def _all_sources(self, name: str) -> set[str]:
        seen: set[str] = set()
        left = [*self._sources_of(name)]
        while left:
            one = left.pop()
            if one not in seen:
                seen.add(one)
                left += self._sources_of(one)
        return seen

    def _in_order(self) -> Iterator[str]:
        """Each after what it is made from."""
        done: dict[str, None] = {}
        for name in [*self._account.dynamic_tables]:
            done |= dict.fromkeys([*self._above(name), name])
        yield from done

    def _sources_of(self, name: str) -> frozenset[str]:
        if name not in self._sources:
            table = self._account.dynamic_tables.get(name)
            if table is not None:
                query = table.query
            else:
                is_view = name in self._account.views
                query = (self._view_query(name) or "") if is_view else ""
            found = [one.replace('"', "") for one in _NAME.findall(query)]
            database = name.partition(".")[0]
            self._sources[name] = frozenset(
                one if one.count(".") > 1 else f"{database}.{one}" for one in found
            )
        return self._sources[name]


def _rows_of(name: str) -> str:
    return f'{_ROWS}."rows of {name}"'
