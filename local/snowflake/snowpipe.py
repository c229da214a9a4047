"""Snowpipe: takes announced objects, runs each pipe's own COPY, keeps the history.

What it keeps to (https://docs.snowflake.com/en/user-guide/data-load-snowpipe-intro
and its sub-pages): a path is taken once in 14 days, whatever it holds by then; a file
that failed is remembered as well, and REFRESH does not try it again; REFRESH reaches
back 7 days; a paused pipe keeps what it is told, and after 14 days wants
SYSTEM$PIPE_FORCE_RESUME. Rows and their line of history are one transaction.

ON_ERROR is SKIP_FILE, or CONTINUE, which for JSON does not mean what its name says: the
records before the first that does not parse are loaded, and the rest of the file is
skipped, good records with it; an error of the SELECT skips the file whichever it is
(https://docs.snowflake.com/en/sql-reference/sql/copy-into-table, ON_ERROR). Where it is
not documented what is counted then, only what was read counts as parsed.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import duckdb
import pyarrow as pa
from snowflake.connector.errors import ProgrammingError

from lambdas.core.sql.privileges import RULES
from local.snowflake.access_control import Thing, missing
from local.snowflake.account import (
    Account,
    Pipe,
    Stage,
    StorageIntegration,
    not_understood,
)
from local.snowflake.aws_side import Arrival, PermissionMissing, SnowflakeAws
from local.snowflake.json_rows import refusal_of_bytes
from local.snowflake.text import STAGED_RELATION, Copy, complete, parse_copy

REMEMBERED = timedelta(days=14)
REFRESH_REACH = timedelta(days=7)
STALE_AFTER = timedelta(days=14)
SKIP_FILE, CONTINUE = "SKIP_FILE", "CONTINUE"
HISTORY = "_fs_information_schema._catflap_loads"

Translate: TypeAlias = Callable[[str, str], str]
"""(a SELECT in Snowflake's words, database) to the same in DuckDB's."""

_HISTORY_TYPES = {
    "FILE_NAME": "VARCHAR", "STAGE_LOCATION": "VARCHAR",
    "LAST_LOAD_TIME": "TIMESTAMPTZ",
    "ROW_COUNT": "BIGINT", "ROW_PARSED": "BIGINT", "FILE_SIZE": "BIGINT",
    "FIRST_ERROR_MESSAGE": "VARCHAR", "FIRST_ERROR_LINE_NUMBER": "BIGINT",
    "FIRST_ERROR_CHARACTER_POS": "BIGINT", "FIRST_ERROR_COLUMN_NAME": "VARCHAR",
    "ERROR_COUNT": "BIGINT", "ERROR_LIMIT": "BIGINT", "STATUS": "VARCHAR",
    "TABLE_CATALOG_NAME": "VARCHAR", "TABLE_SCHEMA_NAME": "VARCHAR",
    "TABLE_NAME": "VARCHAR", "PIPE_CATALOG_NAME": "VARCHAR",
    "PIPE_SCHEMA_NAME": "VARCHAR", "PIPE_NAME": "VARCHAR",
    "PIPE_RECEIVED_TIME": "TIMESTAMPTZ",
}  # fmt: skip
HISTORY_COLUMNS = tuple(_HISTORY_TYPES)
"""What COPY_HISTORY answers, in this order."""

_HISTORY_TABLE = "CREATE TABLE IF NOT EXISTS {database}.{history} " + str(
    "(" + ", ".join(f"{name} {kind}" for name, kind in _HISTORY_TYPES.items()) + ")"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What became of one file. `first_error_line` counts from 1."""

    status: str
    parsed: int
    loaded: int
    first_error: str | None = None
    first_error_line: int | None = None
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFile:
    """An object to load: `content` is None if it is gone, `pipe` if by hand."""

    key: str
    content: bytes | None
    pipe: Pipe | None = None
    received_at: datetime | None = None


def _uncompressed(content: bytes) -> int:
    """Bytes that are billed: text by its size uncompressed. A gzip ends with it."""
    is_gzip = content.startswith(b"\x1f\x8b")
    return int.from_bytes(content[-4:], "little") if is_gzip else len(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    insert: str
    connection: duckdb.DuckDBPyConnection
    copy: Copy
    table: str


class Snowpipe:
    """All pipes of the account. Its caller holds the account's lock."""

    def __init__(
        self,
        *,
        account: Account,
        aws: SnowflakeAws,
        connection: duckdb.DuckDBPyConnection,
        translate: Translate,
    ) -> None:
        self._account = account
        self._aws = aws
        self._connection = connection
        self._translate = translate
        self._prepared: dict[str, _Prepared] = {}
        self.last_received_at: datetime | None = None
        self.loaded: list[tuple[str, datetime, int]] = []
        """Of each file: its pipe, when, and its bytes, uncompressed."""

    def deliver(self, now: datetime, *, is_told: bool = True) -> int:
        """Take what was announced; how many files. Unless `is_told`, nothing was."""
        for arrivals in self._aws.arrivals() if is_told else ():
            for arrival in arrivals:
                self.last_received_at = now
                for pipe in self._woken_by(arrival):
                    self._take(pipe, arrival.key, now)
        return sum(self._drain(pipe, now) for pipe in self._account.pipes.values())

    def _woken_by(self, arrival: Arrival) -> list[Pipe]:
        return [
            pipe
            for pipe in self._account.pipes.values()
            if pipe.topic_arn == arrival.topic_arn
            and (stage := self._account.stages.get(pipe.stage)) is not None
            and stage.bucket == arrival.bucket
            and arrival.key.startswith(stage.prefix + pipe.path)
        ]

    def _take(self, pipe: Pipe, key: str, now: datetime) -> bool:
        taken_at = pipe.seen.get(key)
        if taken_at is not None and now - taken_at < REMEMBERED:
            return False
        pipe.seen[key] = now
        pipe.pending.append((key, now))
        pipe.last_forwarded_at = now
        return True

    def _drain(self, pipe: Pipe, now: datetime) -> int:
        tried = 0
        while pipe.pending and pipe.state == "RUNNING":
            key, received_at = pipe.pending[0]
            if not self._load(pipe, key, received_at, now):
                break
            pipe.pending.popleft()
            tried += 1
        return tried

    def _load(self, pipe: Pipe, key: str, received_at: datetime, now: datetime) -> bool:
        """Whether the file is done with; False when the pipe came to a stop."""
        stage = self._account.stages[pipe.stage]
        if lacks := self._owner_lacks(pipe):
            pipe.state = "STALLED_EXECUTION_ERROR"
            print(f"{pipe.name}: its owner lacks {lacks}", file=sys.stderr, flush=True)
            return False
        try:
            content = self._aws.read(self._integration(stage), stage.bucket, key, now)
        except PermissionMissing as error:
            pipe.state = "STALLED_STAGE_PERMISSION_ERROR"
            print(f"{pipe.name}: {error}", file=sys.stderr, flush=True)
            return False
        file = StagedFile(key=key, content=content, pipe=pipe, received_at=received_at)
        try:
            load = self.copy_one(pipe.copy_text, file, now)
        except duckdb.CatalogException as error:
            pipe.state = "STOPPED_MISSING_TABLE"
            print(f"{pipe.name}: {error}", file=sys.stderr, flush=True)
            return False
        if load.loaded:
            pipe.last_ingested_at, pipe.last_ingested_path = now, key
            self.loaded.append((pipe.name, now, _uncompressed(content or b"")))
        return True

    def _owner_lacks(self, pipe: Pipe) -> str | None:
        """What the owner of a pipe, whose work the load is, may not do any more."""
        things = {"PIPE": pipe.name, "STAGE": pipe.stage, "TABLE": pipe.table}
        access = self._account.access
        if Thing("TABLE", pipe.table) not in access.owners:
            return None
        for need in RULES["a pipe's load"].needs:
            thing = Thing(need.on, things[need.on])
            if not access.has(pipe.owner, need, thing):
                return f"{' or '.join(need.any_of)} on {thing.name}"
        return None

    def _integration(self, stage: Stage) -> StorageIntegration:
        return self._account.integrations[stage.integration]

    def copy_one(self, copy_text: str, file: StagedFile, now: datetime) -> Load:
        """Run a COPY on one object and write its history, in one transaction."""
        prepared = self._prepare(copy_text)
        connection = prepared.connection
        connection.execute("BEGIN")
        try:
            load = _insert(prepared, file.key, file.content, now)
            if load.status == "Load failed":
                connection.execute("ROLLBACK")
                connection.execute("BEGIN")
            self._write_history(prepared, file, load, now)
            connection.execute("COMMIT")
            if load.loaded:
                self._account.change(prepared.table, now)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        return load

    def _prepare(self, copy_text: str) -> _Prepared:
        prepared = self._prepared.get(copy_text)
        if prepared is None:
            copy = parse_copy(copy_text)
            table = complete(copy.table, None, None)
            database, schema, name = table.split(".")
            connection = self._connection.cursor()
            connection.execute(f"SET schema='{database}.{schema}'")
            connection.execute(
                _HISTORY_TABLE.format(database=database, history=HISTORY)
            )
            select = self._translate(copy.select, database)
            insert = f'INSERT INTO {database}.{schema}."{name}" {copy.columns} {select}'
            prepared = _Prepared(
                insert=insert, connection=connection, copy=copy, table=table
            )
            self._prepared[copy_text] = prepared
        return prepared

    def check(self, copy_text: str) -> None:
        """Compile a COPY against an empty file, as CREATE PIPE does."""
        prepared = self._prepare(copy_text)
        on_error = prepared.copy.options.get("ON_ERROR", SKIP_FILE)
        if on_error.upper() not in {SKIP_FILE, CONTINUE}:
            del self._prepared[copy_text]
            raise not_understood(f"ON_ERROR = {on_error}")
        prepared.connection.register(STAGED_RELATION, _staged([], "", None))
        try:
            prepared.connection.execute(f"EXPLAIN {prepared.insert}")
        except duckdb.Error as error:
            del self._prepared[copy_text]
            raise ProgrammingError(
                msg=f"SQL compilation error:\n{error}", errno=904, sqlstate="42000"
            ) from error

    def _write_history(
        self, prepared: _Prepared, file: StagedFile, load: Load, now: datetime
    ) -> None:
        stage = self._account.stages[complete(prepared.copy.stage, None, None)]
        table = prepared.table.split(".")
        pipe_name: Sequence[str | None] = (
            file.pipe.name.split(".") if file.pipe is not None else (None, None, None)
        )
        values = ", ".join("?" * len(HISTORY_COLUMNS))
        prepared.connection.execute(
            f"INSERT INTO {table[0]}.{HISTORY} VALUES ({values})",
            [
                file.key.removeprefix(stage.prefix),
                f"s3://{stage.bucket}/{stage.prefix}",
                now,
                load.loaded,
                load.parsed,
                len(file.content or b""),
                load.first_error,
                load.first_error_line,
                None,
                None,
                load.errors,
                1,
                load.status,
                *table,
                *pipe_name,
                file.received_at,
            ],
        )

    def drop_database(self, name: str) -> None:
        """Let go of a database and of what was prepared for its tables."""
        self._prepared = {
            text: prepared
            for text, prepared in self._prepared.items()
            if not prepared.table.startswith(f"{name}.")
        }
        self._connection.execute(f"DETACH DATABASE IF EXISTS {name}")

    def refresh(
        self,
        pipe: Pipe,
        below: str,
        now: datetime,
        *,
        modified_after: datetime | None = None,
    ) -> list[str]:
        """Take what is below the path, new enough and never taken; the keys taken."""
        stage = self._account.stages[pipe.stage]
        found = self._aws.listing(
            self._integration(stage), stage, pipe.path + below, now
        )
        return [
            key
            for key, written_at in found
            if now - written_at < REFRESH_REACH
            and (modified_after is None or written_at > modified_after)
            and self._take(pipe, key, now)
        ]

    def copy_stage(self, copy_text: str, now: datetime) -> list[tuple[str, Load]]:
        """A COPY by hand: every object below the path (or in FILES), once a table."""
        copy = parse_copy(copy_text)
        stage = self._account.stages.get(complete(copy.stage, None, None))
        if stage is None:
            raise missing("Stage", copy.stage)
        prepared = self._prepare(copy_text)
        database = prepared.table.split(".")[0]
        known = {
            str(name)
            for (name,) in prepared.connection.execute(
                f"SELECT FILE_NAME FROM {database}.{HISTORY} WHERE STATUS = 'Loaded' "
                "AND PIPE_NAME IS NULL AND TABLE_CATALOG_NAME || '.' || "
                "TABLE_SCHEMA_NAME || '.' || TABLE_NAME = ?",
                [prepared.table],
            ).fetchall()
        }
        integration = self._integration(stage)
        loads = []
        for key, _ in self._aws.listing(integration, stage, copy.path, now):
            name = key.removeprefix(stage.prefix)
            if name in known and copy.options.get("FORCE", "").upper() != "TRUE":
                continue
            content = self._aws.read(integration, stage.bucket, key, now)
            file = StagedFile(key=key, content=content)
            loads.append((name, self.copy_one(copy_text, file, now)))
        return loads

    def pause(self, pipe: Pipe, *, paused: bool, now: datetime, force: bool) -> None:
        """Pause or resume; resuming after 14 days needs force."""
        if paused:
            pipe.state, pipe.paused_at = "PAUSED", now
            return
        stale = pipe.paused_at is not None and now - pipe.paused_at > STALE_AFTER
        if stale and not force:
            raise ProgrammingError(
                msg=f"Pipe {pipe.name} was paused for over 14 days and is stale: use "
                "SYSTEM$PIPE_FORCE_RESUME('<pipe>','staleness_check_override')",
                errno=91017,
                sqlstate="22000",
            )
        pipe.state, pipe.paused_at = "RUNNING", None

    def status(self, pipe: Pipe) -> str:
        """What SYSTEM$PIPE_STATUS answers; a field not known is left out."""
        known: dict[str, object] = {
            "executionState": pipe.state,
            "pendingFileCount": len(pipe.pending),
        }
        oldest = pipe.pending[0][1] if pipe.pending else None
        optional = {
            "oldestFileTimestamp": oldest,
            "lastReceivedMessageTimestamp": self.last_received_at,
            "lastForwardedMessageTimestamp": pipe.last_forwarded_at,
            "lastIngestedTimestamp": pipe.last_ingested_at,
        }
        for name, moment in optional.items():
            if moment is not None:
                known[name] = moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        if pipe.last_ingested_path is not None:
            known["lastIngestedFilePath"] = pipe.last_ingested_path
        if pipe.topic_arn is not None:
            known["notificationChannelName"] = self._aws.queue_arn
        return json.dumps(known)


def _insert(
    prepared: _Prepared, key: str, content: bytes | None, now: datetime
) -> Load:
    if content is None:
        return _failed(f"Remote file '{key}' was not found.")
    try:
        lines = _lines(content, prepared.copy.options.get("COMPRESSION", "AUTO"), key)
    except (OSError, EOFError, zlib.error) as error:
        return _failed(f"Error reading file: {error}")
    refused = [
        (number, why)
        for number, line in enumerate(lines, start=1)
        if (why := refusal_of_bytes(line)) is not None
    ]
    found: Load | None = None
    if refused:
        number, why = refused[0]
        if not _continues(prepared.copy):
            # SKIP_FILE reads on to the end and counts them all
            return _failed(why, number, len(lines), errors=len(refused))
        if number == 1:
            return _failed(why, number, parsed=1)
        lines = lines[: number - 1]
        found = Load(
            status="Partially loaded",
            parsed=number,
            loaded=len(lines),
            first_error=why,
            first_error_line=number,
            errors=1,
        )
    connection = prepared.connection
    texts = [line.decode() for line in lines]
    connection.register(STAGED_RELATION, _staged(texts, key, now))
    try:
        connection.execute(prepared.insert)
    except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
        why = f"Error parsing JSON: {str(error).splitlines()[0]}"
        return _failed(why, None, len(lines))
    return found or Load(status="Loaded", parsed=len(lines), loaded=len(lines))


def _continues(copy: Copy) -> bool:
    return copy.options.get("ON_ERROR", SKIP_FILE).upper() == CONTINUE


def _failed(
    why: str, line: int | None = None, parsed: int = 0, *, errors: int = 1
) -> Load:
    return Load(
        status="Load failed",
        parsed=parsed,
        loaded=0,
        first_error=why,
        first_error_line=line,
        errors=errors,
    )


def _lines(content: bytes, compression: str, key: str) -> list[bytes]:
    zipped = compression.upper() == "GZIP" or (
        compression.upper() == "AUTO" and key.endswith(".gz")
    )
    data = gzip.decompress(content) if zipped else content
    return [line for line in data.split(b"\n") if line.strip()]


def _staged(lines: Sequence[str], key: str, now: datetime | None) -> pa.Table:
    rows = len(lines)
    return pa.table(
        {
            "_DOCUMENT": pa.array(lines, pa.string()),
            "_NAME": pa.array([key] * rows, pa.string()),
            "_LINE": pa.array(range(1, rows + 1), pa.int64()),
            "_SCANNED": pa.array([now] * rows, pa.timestamp("us", "UTC")),
        }
    )
