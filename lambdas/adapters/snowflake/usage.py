"""What the account was used for, as its own views have it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse
from lambdas.core.errors import WarehouseError, WarehouseUnreachable
from lambdas.core.reports.usage import GB, SHARED, AccountWeek, PipeUse, wake_ups
from lambdas.core.sql import account_usage, names

_GENERATION = re.compile(r"_G\d+$")
Row = tuple[object, ...]


@dataclass(kw_only=True)
class AccountUsage:
    """Reads SNOWFLAKE.ACCOUNT_USAGE; `unseen` says what could not be read.

    `datasets` are those of the catalogue, `users` the users of catflap.
    """

    source: SnowflakeWarehouse
    warehouse: str
    database: str
    datasets: Collection[str]
    users: Collection[str]
    unseen: list[str] = field(default_factory=list)

    def week(self, since: datetime, until: datetime) -> AccountWeek:
        """All that is known of a span. Raises WarehouseUnreachable."""
        self.unseen = []
        metered = self._asked(
            "what the warehouse was billed",
            account_usage.metered(self.warehouse, since, until),
        )
        resumes = self._asked(
            "what woke the warehouse",
            account_usage.resumes(self.warehouse, since, until),
        )
        ran = self._asked(
            "which datasets were served",
            account_usage.tagged(self.warehouse, since, until),
        )
        piped = self._asked(
            "what Snowpipe loaded", account_usage.piped(self.database, since, until)
        )
        refreshed = self._asked(
            "refreshes of dynamic tables",
            account_usage.refreshed(self.database, since, until),
        )
        return AccountWeek(
            since=since,
            until=until,
            metered=_number(metered[0][0]) if metered else None,
            wake_ups=wake_ups(
                [(_time(at), str(query), str(user)) for at, query, _, user in resumes],
                [(_time(at), str(query), str(tag)) for at, query, tag, _ in ran],
                ours=self.users,
                everybody=sorted(self.datasets),
            ),
            pipes=self._of_pipes(piped),
            refreshes={str(name): int(_number(count)) for _, name, count in refreshed},
            not_seen=tuple(self.unseen),
        )

    def _of_pipes(self, rows: Sequence[Row]) -> dict[str, PipeUse]:
        """By dataset; one has a pipe for each generation that it had."""
        named = {
            names.plain(names.identifier(name)): name for name in sorted(self.datasets)
        }
        found: dict[str, PipeUse] = {}
        for name, used, size, files in rows:
            table = _GENERATION.sub("", str(name).rpartition(".")[2].strip('"'))
            dataset = named.get(table, SHARED)
            before = found.get(dataset, PipeUse(credits=0.0, gb=0.0, files=0))
            found[dataset] = PipeUse(
                credits=before.credits + _number(used),
                gb=before.gb + _number(size) / GB,
                files=before.files + int(_number(files)),
            )
        return found

    def _asked(self, what: str, statement: str) -> Sequence[Row]:
        try:
            rows = self.source.query(statement)
        except WarehouseUnreachable:
            raise
        except WarehouseError as error:
            self.unseen.append(f"{what}: {error}")
            return ()
        if len(rows) >= account_usage.MOST_ROWS:
            self.unseen.append(
                f"{what}: there is more than the {len(rows):,} rows that were read"
            )
        return rows


def _number(value: object) -> float:
    return 0.0 if value is None else float(str(value))


def _time(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise WarehouseError(f"a time that says its offset was expected, not {value!r}")
    return value
