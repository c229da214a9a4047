"""A month of real flights in day slices, four at a time, stopped and gone on with."""

from __future__ import annotations

import bisect
import gzip
import json
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from cli.main import run
from cli.one_machine.file_state import FileState
from lambdas.core.pull.run import DatasetState
from local.upstream import FLIGHTS, read_rows
from tests.api_server import Answer, Asked, serving
from tests.unit.cli.ctrl_c import said_that_it_ends, started
from tests.unit.cli.files import folders

pytestmark = pytest.mark.long

PAGE = 500
MONTH = ["--from", "2013-01-01T00:00:00Z", "--to", "2013-02-01T00:00:00Z"]
NAMES = ("id", *(column.name for column in FLIGHTS))
API = """\
base_url: %s
paginator: {type: json_link, next_url_path: next}
"""
DATASET = """\
description: Every flight that left New York
owner: {team: data-eng}
source:
  client: nycflights
  endpoint:
    path: flights.json
    params: {since: "{incremental.start_value}", before: "{incremental.end_value}"}
    data_selector: rows
    incremental: {cursor_path: time_hour, initial_value: "2013-02-01T00:00:00Z"}
primary_key: [id]
write_disposition: merge
schedule: {rate: 1 hour}
"""


class Flights:
    """January and two days of February, by the hour they left. Whoever asks for the day
    `stopped_at` is interrupted, and answered once that was noticed.
    """

    def __init__(self) -> None:
        until = datetime(2013, 2, 3, tzinfo=UTC)
        rows = sorted(
            read_rows("flights.csv.zip", FLIGHTS, until=until), key=lambda row: row.hour
        )
        self.rows = [
            orjson.dumps(dict(zip(NAMES, row.values, strict=True))) for row in rows
        ]
        self._hours = [str(row.values[-1]) for row in rows]
        self.stopped_at = "9"
        self.asking: Future[subprocess.Popen[bytes]] = Future()
        self.has_noticed = threading.Event()
        self._is_stopped = False

    def stop(self, day: str) -> None:
        """Whoever asks for a day from this one on, once."""
        self.stopped_at, self._is_stopped, self.asking = day, False, Future()
        self.has_noticed = threading.Event()

    def __call__(self, asked: Asked) -> Answer:
        query = asked.query
        since, before = query.get("since", ""), query.get("before", "9")
        if not self._is_stopped and since >= self.stopped_at:
            self._is_stopped = True
            self.asking.result(600).send_signal(signal.SIGINT)
            self.has_noticed.wait(60)
        first = bisect.bisect_left(self._hours, since) + int(query.get("at", 0))
        last = bisect.bisect_left(self._hours, before)
        at = int(query.get("at", 0)) + PAGE
        more = f'"/flights.json?at={at}&since={since}&before={before}"'
        page = self.rows[first : min(first + PAGE, last)]
        body = b'{"rows": [%b], "next": %b}' % (
            b",".join(page),
            (more if first + PAGE < last else "null").encode(),
        )
        return Answer(body=body, headers={"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A project, a landing zone and a state."""

    folder: Path
    flights: Flights

    @property
    def options(self) -> list[str]:
        return [
            *("--state", str(self.folder / "state.json")),
            *("--datasets", str(self.folder / "datasets")),
            *("--apis", str(self.folder / "apis")),
        ]

    @property
    def landing(self) -> str:
        return (self.folder / "landing").as_uri()

    def state(self) -> DatasetState:
        with FileState(path=self.folder / "state.json") as state:
            return state.read("flights")

    def files(self) -> list[Path]:
        return list((self.folder / "landing").glob("raw/**/*.gz"))

    def landed(self) -> Counter[bytes]:
        return Counter(
            orjson.dumps(orjson.loads(line))
            for file in self.files()
            for line in gzip.decompress(file.read_bytes()).splitlines()
        )

    def backfilling(self) -> subprocess.Popen[bytes]:
        return started(
            *("flights", *MONTH, "--slice", "P1D", "--parallel", "4"),
            *("--landing", self.landing, "--json", *self.options),
        )


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("month")
    flights = Flights()
    with serving(flights) as server:
        folders(
            folder,
            datasets={"flights.yaml": DATASET},
            apis={"nycflights.yaml": API % server.url},
        )
        yield Rig(folder=folder, flights=flights)


def test_a_month_that_was_interrupted_lands_whole_and_once_beside_live_pulls(
    rig: Rig,
) -> None:
    assert run(["pull", "flights", "--to", rig.landing, *rig.options]) == 0
    before = rig.state()
    assert before.cursor.value == "2013-02-02T23:00:00Z"

    stopped = 0
    for day in ("2013-01-07", "2013-01-20"):
        rig.flights.stop(day)
        process = rig.backfilling()
        rig.flights.asking.set_result(process)
        assert said_that_it_ends(process)
        rig.flights.has_noticed.set()
        out, err = process.communicate(timeout=600)
        assert (process.returncode, b"Traceback" in err) == (130, False), err
        assert b"the same command goes on" in err
        document = json.loads(out)
        assert stopped < document["landed"] < 31
        stopped = document["landed"]

    rig.flights.stop("9")
    out, err = rig.backfilling().communicate(timeout=600)
    document = json.loads(out)
    assert (document["status"], document["landed"]) == ("succeeded", 31), err
    upstream = Counter(orjson.dumps(orjson.loads(row)) for row in rig.flights.rows)
    assert len(upstream) == sum(upstream.values()) > 28_000
    assert rig.landed() == upstream
    assert rig.state() == before

    files = sorted(rig.files())
    out, _ = rig.backfilling().communicate(timeout=600)
    assert json.loads(out) == document
    assert sorted(rig.files()) == files
