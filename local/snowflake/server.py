"""The embedded Snowflake's process: fakesnow's HTTP server, and what it lacks.

Started by `local.snowflake.process.EmbeddedSnowflake` as
`python -m local.snowflake.server`; it prints its port as one line of JSON and ends when
its standard input does, so that it never outlives its parent.

fakesnow is entered at seven places: `FakeSnowflakeCursor.execute` (statements of ours
are answered, the others rewritten), `fakesnow.server.parse_one` (which must not refuse
what only we understand), `fakesnow.arrow.timestamp_to_sf_struct` (which cannot
carry a NULL), `fakesnow.info_schema.insert_text_lengths_sql` and
`insert_table_comment_sql` (which do not quote the names of columns, and what a comment
says), `fakesnow.transforms.indices_to_json_extract` (which translates only the last of
`a['b']['c']`) and `fakesnow.macros.FS_FLATTEN` (which fails on what is no array, of
which Snowflake makes no rows).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import importlib
import json
import logging
import os
import re
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any, TypeAlias, cast
from weakref import WeakKeyDictionary

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
import time_machine
import uvicorn
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.snowflake.access_control import ADMINISTRATOR, Asked, Session
from local.snowflake.account import Account
from local.snowflake.answers import Answer
from local.snowflake.aws_side import SnowflakeAws
from local.snowflake.dynamic_tables import DynamicTables
from local.snowflake.rewrite import Rewriting
from local.snowflake.snapshot import SnowflakeSnapshot
from local.snowflake.snowpipe import Snowpipe
from local.snowflake.statements import Statements
from local.snowflake.usage import UsageHistory

# By import_module: the package has a function `server` of the same name, and neither
# has types.
_server = cast("Any", importlib.import_module("fakesnow.server"))
_arrow = cast("Any", importlib.import_module("fakesnow.arrow"))
_info_schema = cast("Any", importlib.import_module("fakesnow.info_schema"))
_transforms = cast("Any", importlib.import_module("fakesnow.transforms"))
_macros = cast("Any", importlib.import_module("fakesnow.macros"))

Json: TypeAlias = dict[str, object]
_UTC_OFFSET_MINUTES = 1440  # Snowflake writes an offset of 0 as 1440


class EmbeddedAccount:
    """The account and all that works on it, under one lock."""

    def __init__(self, *, aws: SnowflakeAws) -> None:
        self.lock = threading.RLock()
        self.account = Account()
        self.aws = aws
        self._clock: time_machine.travel | None = None
        self.sessions: WeakKeyDictionary[FakeSnowflakeConnection, Session] = (
            WeakKeyDictionary()
        )
        # as in an account: only CREATE DATABASE makes a database
        _server.shared_fs.create_database_on_connect = False
        _server.shared_fs.create_schema_on_connect = False
        # its cursor translates the SELECT of each COPY
        self._translator = _server.shared_fs.connect()
        self.snowpipe = Snowpipe(
            account=self.account,
            aws=aws,
            connection=_server.shared_fs.duck_conn,
            translate=self._translate,
        )
        self.usage = UsageHistory(
            account=self.account, connection=_server.shared_fs.duck_conn.cursor()
        )
        self.usage.open()
        self.snowpipe.loaded = self.usage.pipes_loaded
        self.dynamic = DynamicTables(
            account=self.account, connection=_server.shared_fs.duck_conn.cursor()
        )
        self.usage.refreshes = self.dynamic.history
        self.statements = Statements(
            account=self.account, aws=aws, snowpipe=self.snowpipe, dynamic=self.dynamic
        )
        self.rewriting = Rewriting(
            account=self.account, aws=aws, snowpipe=self.snowpipe, dynamic=self.dynamic
        )

    def _translate(self, select: str, _: str) -> str:
        cursor = self._translator.cursor()
        parsed = sqlglot.parse_one(select, read="snowflake")
        return str(cursor._transform(parsed, None).sql(dialect="duckdb"))  # noqa: SLF001 - fakesnow has no other way in

    def set_clock(self, moment: datetime) -> None:
        """Let time go on from here, for everything in this process."""
        with self.lock:
            if self._clock is not None:
                self._clock.stop()
            self._clock = time_machine.travel(moment, tick=True)
            self._clock.start()

    def deliver(self, *, is_told: bool) -> int:
        """One round of Snowpipe."""
        with self.lock:
            return self.snowpipe.deliver(datetime.now(UTC), is_told=is_told)

    def fill(self, statements: Sequence[str]) -> None:
        """Run DuckDB's statements as they are: thousands of tables in seconds."""
        with self.lock:
            for statement in statements:
                _server.shared_fs.duck_conn.execute(statement)

    def keep(self, act: str, folder: Path) -> None:
        """`save` what the account holds to an empty folder, or `restore` it."""
        with self.lock:
            snapshot = SnowflakeSnapshot(
                connection=_server.shared_fs.duck_conn, pipes=self.account.pipes
            )
            {"save": snapshot.save, "restore": snapshot.restore}[act](folder)
            if act == "restore":
                for table in self.account.change_marks:
                    self.account.change(table, datetime.now(UTC))

    def sign_in(
        self, body: Json, role: str | None, context: Sequence[str | None]
    ) -> Session | str:
        """A session, or why there is none. Users are those that CREATE USER made, and
        the administrator; `context` is warehouse, database and schema, which a login
        takes whether they exist or not.
        """
        data = body["data"]
        assert isinstance(data, dict)
        arn = self._aws_role(data)
        if str(data.get("AUTHENTICATOR")) == "WORKLOAD_IDENTITY" and arn is None:
            return "the signed GetCallerIdentity was refused"
        name = str(data.get("LOGIN_NAME") or "").upper()
        wanted = (role or ADMINISTRATOR).upper()
        with self.lock:
            access = self.account.access
            user = access.users.get(name)
            if user is None:
                return f"there is no user {name or arn}"
            if user.aws_role is not None and user.aws_role != arn:
                return f"user {name} may be used by {user.aws_role}, not by {arn}"
            if user.is_service and user.aws_role is None and data.get("PASSWORD"):
                return f"user {name} is of TYPE = SERVICE and has no password"
            if not any(wanted in access.held_by(one) for one in user.roles):
                return f"role {wanted} is not granted to user {name}"
        warehouse, database, schema = context
        parameters = data.get("SESSION_PARAMETERS") or {}
        assert isinstance(parameters, dict)
        return Session(
            user=name,
            role=wanted,
            warehouse=warehouse and warehouse.upper(),
            database=database,
            schema=schema,
            query_tag=str(parameters.get("QUERY_TAG") or ""),
        )

    def understand(self, command: str, session: Session, now: datetime) -> Answer | str:
        """What it answers, or what fakesnow is to run; all of it is remembered."""
        with self.lock:
            asked = self.account.access.asked = Asked()
            self.dynamic.settle(now)
            try:
                answer: Answer | str | None = self.statements.answer(
                    command, session, now
                )
                if answer is None:
                    self.usage.shown(command, now)
                    answer = self.rewriting.rewrite(command, session, now)
            except ProgrammingError as error:
                self.usage.record(command, session, asked, now, error=str(error.msg))
                raise
            self.usage.record(command, session, asked, now)
        return answer

    @contextmanager
    def making(self, command: str, session: Session, now: datetime) -> Iterator[None]:
        """While an object is made or dropped; a statement that fails leaves the dynamic
        tables as they were.
        """
        known = self.account.dynamic_tables
        before = dict(known)
        try:
            yield
            with self.lock:
                self.rewriting.has_run(command, session, now)
        except BaseException:
            with self.lock:
                known.clear()
                known.update(before)
            raise

    def _aws_role(self, data: Json) -> str | None:
        if str(data.get("AUTHENTICATOR")) != "WORKLOAD_IDENTITY":
            return None
        signed = json.loads(base64.b64decode(str(data["TOKEN"])))
        return self.aws.caller(signed["headers"])


def hook(embedded: EmbeddedAccount) -> None:
    """Enter fakesnow, once a process."""
    execute = FakeSnowflakeCursor.execute
    parse_one = _server.parse_one
    nobody = Session(
        user="ADMINISTRATOR",
        role=ADMINISTRATOR,
        warehouse=None,
        database=None,
        schema=None,
    )

    def executed(
        cursor: FakeSnowflakeCursor,
        command: str,
        *args: Any,  # noqa: ANN401 - passed on to fakesnow as they come
        **kwargs: Any,  # noqa: ANN401 - passed on to fakesnow as they come
    ) -> FakeSnowflakeCursor:
        connection = cursor._conn  # noqa: SLF001 - fakesnow has no other way in
        session = embedded.sessions.get(connection, nobody)
        session.database, session.schema = connection.database, connection.schema
        now = datetime.now(UTC)
        makes = re.match(r"\s*(CREATE|DROP)\s", command, re.IGNORECASE)
        with embedded.making(command, session, now) if makes else nullcontext():
            answer = embedded.understand(command, session, now)
            if isinstance(answer, str):
                return as_snowflake_fails(execute, cursor, answer, *args, **kwargs)
        cursor._execute(_as_select(answer))  # noqa: SLF001 - fakesnow has no other way in
        return cursor

    def parsed(command: str) -> exp.Expr:
        # Only the kind of statement is read from this: what runs is parsed once more,
        # and a view of 500 branches takes a second each time.
        if embedded.statements.understands(command):
            return exp.Command(this=command.split(maxsplit=1)[0])
        if re.match(r"\s*(SELECT|WITH)\s", command, re.IGNORECASE):
            return exp.Select()
        if re.match(r"\s*CREATE\s", command, re.IGNORECASE):
            return exp.Create()
        try:
            return cast("exp.Expr", parse_one(command))
        except ProgrammingError:
            return exp.Command(this=command.split(maxsplit=1)[0])

    cast("Any", FakeSnowflakeCursor).execute = executed
    _server.parse_one = parsed
    _arrow.timestamp_to_sf_struct = timestamp_to_struct
    insert = _info_schema.insert_text_lengths_sql

    def inserted(
        catalog: str, schema: str, table: str, text_lengths: list[tuple[str, int]]
    ) -> str:
        lengths = [(name.replace("'", "''"), size) for name, size in text_lengths]
        return str(insert(catalog, schema, table, lengths))

    _info_schema.insert_text_lengths_sql = inserted
    comment = _info_schema.insert_table_comment_sql

    def commented(catalog: str, schema: str, table: str, text: str) -> str:
        return str(comment(catalog, schema, table, text.replace("'", "''")))

    _info_schema.insert_table_comment_sql = commented
    _macros.FS_FLATTEN = Template(
        _macros.FS_FLATTEN.template.replace(
            "ELSE list_transform(",
            "WHEN json_type(TO_JSON(input)) = 'ARRAY' THEN list_transform(",
        )
    )
    _translate_every_index()


def as_snowflake_fails(
    execute: Callable[..., FakeSnowflakeCursor],
    *args: Any,  # noqa: ANN401 - passed on to fakesnow as they come
    **kwargs: Any,  # noqa: ANN401 - passed on to fakesnow as they come
) -> FakeSnowflakeCursor:
    """Run a statement. What DuckDB finds wrong with it and fakesnow has no words for is
    an error of the statement all the same: else the server is what failed, and a client
    tries again and again.
    """
    try:
        return execute(*args, **kwargs)
    except duckdb.Error as error:
        raise ProgrammingError(
            msg=str(error), errno=100_038, sqlstate="22000"
        ) from error


def _translate_every_index() -> None:
    last = _transforms.indices_to_json_extract

    def indices(expression: exp.Expr) -> exp.Expr:
        extracted: exp.Expr = last(expression)
        if extracted is not expression:
            extracted.set("this", extracted.this.transform(indices))
        return extracted

    _transforms.indices_to_json_extract = indices


def _as_select(answer: Answer) -> exp.Expr:
    rows = [
        "SELECT "
        + ", ".join(
            f'{_value(value)} AS "{column}"'
            for column, value in zip(answer.columns, row, strict=True)
        )
        for row in answer.rows
    ]
    if not rows:
        nulls = ", ".join(f'NULL::VARCHAR AS "{column}"' for column in answer.columns)
        rows = [f"SELECT {nulls} WHERE FALSE"]
    return sqlglot.parse_one(" UNION ALL ".join(rows), read="duckdb")


def _value(value: object) -> str:
    if value is None:
        return "NULL::VARCHAR"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'::VARCHAR"


def timestamp_to_struct(times: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Timestamps as Snowflake's struct of epoch, fraction and offset, NULLs kept."""
    if isinstance(times, pa.ChunkedArray):
        times = times.combine_chunks()
    absent = times.is_null()
    times = times.cast(pa.timestamp("us", times.type.tz))
    times = times.fill_null(pa.scalar(0, times.type))
    # floored, so that times before 1970 have a positive fraction as well
    whole = pc.floor_temporal(times, unit="second").cast(pa.int64())
    epoch = pc.divide(whole, 1_000_000)
    fraction = pc.multiply(pc.subtract(times.cast(pa.int64()), whole), 1000).cast(
        pa.int32()
    )
    arrays, names = [epoch, fraction], ["epoch", "fraction"]
    types = [pa.int64(), pa.int32()]
    if times.type.tz:
        arrays.append(pa.array([_UTC_OFFSET_MINUTES] * len(times), pa.int32()))
        names.append("timezone")
        types.append(pa.int32())
    fields = [
        pa.field(name, kind, nullable=False)
        for name, kind in zip(names, types, strict=True)
    ]
    return pa.StructArray.from_arrays(arrays=arrays, fields=fields, mask=absent)


def application(embedded: EmbeddedAccount) -> Starlette:
    """The routes of fakesnow, a login of ours, and the control of the replay."""

    async def login(request: Request) -> Response:
        body = await request.body()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        role = request.query_params.get("roleName")
        context = [
            request.query_params.get(key)
            for key in ("warehouse", "databaseName", "schemaName")
        ]
        session = await run_in_threadpool(
            embedded.sign_in, json.loads(body), role, context
        )
        if isinstance(session, str):
            return JSONResponse(
                {
                    "data": {},
                    "code": "390144",
                    "message": f"Login refused: {session}.",
                    "success": False,
                }
            )
        answer = cast("Response", await _server.login_request(request))
        token = json.loads(bytes(answer.body))["data"]["token"]
        connection: FakeSnowflakeConnection = _server.sessions[token]
        embedded.sessions[connection] = session
        return answer

    in_turn = asyncio.Lock()

    async def query(request: Request) -> Response:
        # Snowflake runs statements of one session side by side; here they share a
        # DuckDB connection, which refuses a second one instead of letting it wait.
        async with in_turn:
            tagged = await _tagged(embedded, request)
            try:
                return cast("Response", await _server.query_request(request))
            finally:
                tagged()

    async def clock(request: Request) -> Response:
        embedded.set_clock(datetime.fromisoformat((await request.json())["now"]))
        return JSONResponse({"now": datetime.now(UTC).isoformat()})

    async def deliver(request: Request) -> Response:
        is_told = bool((await request.json())["is_told"])
        files = await run_in_threadpool(embedded.deliver, is_told=is_told)
        return JSONResponse({"files": files})

    async def fill(request: Request) -> Response:
        statements = (await request.json())["statements"]
        async with in_turn:
            await run_in_threadpool(embedded.fill, statements)
        return JSONResponse({"statements": len(statements)})

    async def keep(request: Request) -> Response:
        asked = await request.json()
        async with in_turn:
            await run_in_threadpool(embedded.keep, asked["act"], Path(asked["folder"]))
        return JSONResponse({})

    return Starlette(
        routes=[
            Route("/session/v1/login-request", login, methods=["POST"]),
            Route("/queries/v1/query-request", query, methods=["POST"]),
            Route("/embedded/clock", clock, methods=["POST"]),
            Route("/embedded/deliver", deliver, methods=["POST"]),
            Route("/embedded/fill", fill, methods=["POST"]),
            Route("/embedded/snapshot", keep, methods=["POST"]),
            *(
                route
                for route in _server.routes
                if route.path
                not in ("/session/v1/login-request", "/queries/v1/query-request")
            ),
        ]
    )


async def _tagged(embedded: EmbeddedAccount, request: Request) -> Callable[[], None]:
    """The session bears the tag of this statement until what is returned is called."""
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    tag = (json.loads(body).get("parameters") or {}).get("QUERY_TAG")
    connection = _server.sessions.get(_server.to_token(request))
    session = None if connection is None else embedded.sessions.get(connection)
    if tag is None or session is None:
        return lambda: None
    before, session.query_tag = session.query_tag, str(tag)
    return lambda: setattr(session, "query_tag", before)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until standard input ends. The AWS keys come from the environment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--aws", required=True, help="endpoint URL of the embedded AWS")
    parser.add_argument("--region", required=True)
    given = parser.parse_args(arguments)
    logging.getLogger("fakesnow.server").setLevel(logging.ERROR)
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
    aws = SnowflakeAws(
        endpoint_url=given.aws,
        region=given.region,
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    embedded = EmbeddedAccount(aws=aws)
    hook(embedded)
    # With its protocol named: asyncio sets TCP_NODELAY on such sockets only, and
    # without that each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # from the moment its port is known, a caller may wait here
    server = uvicorn.Server(
        uvicorn.Config(application(embedded), log_level="warning", access_log=False)
    )

    def end_with_parent() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end_with_parent, daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads our pipe from here
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
