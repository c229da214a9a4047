"""`catflap backfill` on one machine, as a person and a script see it."""

from __future__ import annotations

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from cli.one_machine.file_state import FileState
from lambdas.core.pull.run import DatasetState
from tests.api_server import Answer, Asked, answer_json, serving
from tests.unit.cli.ctrl_c import said_that_it_ends, started
from tests.unit.cli.files import DATASET, changed, folders

PAGE = 3
API = """\
base_url: %s
paginator: {type: json_link, next_url_path: next}
retry: {max_attempts: 1}
"""
SLICED = changed(
    DATASET,
    'params: {since: "{incremental.start_value}"}',
    'params: {since: "{incremental.start_value}", before: "{incremental.end_value}"}',
)
WINDOW = ["--from", "2013-01-01T00:00:00Z", "--to", "2013-01-11T00:00:00Z"]


def rows(days: int) -> list[dict[str, Any]]:
    """Seven an day, two of them at the same instant, one exactly at midnight."""
    hours = ("00:00:00", "03:00:00", "03:00:00", "09:30:00", "15:00:00", "23:59:59")
    return [
        {"id": 10 * day + number, "at": f"2013-01-{day:02d}T{hour}Z", "n": 2**60 + day}
        for day in range(1, days + 1)
        for number, hour in enumerate(hours)
    ]


@dataclass(kw_only=True)
class Cats:
    """An API over rows that honours both ends of a window, in pages."""

    rows: list[dict[str, Any]]
    broken_days: set[str] = field(default_factory=set)
    asked: threading.Event = field(default_factory=threading.Event)
    meeting: threading.Barrier | None = None
    interrupts_at: int | None = None
    has_noticed: threading.Event = field(default_factory=threading.Event)
    interrupt: Future[Callable[[], None]] = field(default_factory=Future)
    instead: Answer | None = None

    def __call__(self, asked: Asked) -> Answer:
        self.asked.set()
        if self.meeting is not None:
            self.meeting.wait(60)
        if self.instead is not None:
            return self.instead
        if self.interrupts_at is not None:
            self._interrupt()
        query = asked.query
        since, before = query.get("since", ""), query.get("before", "None")
        if since[:10] in self.broken_days:
            return Answer(status=400)
        found = [
            row
            for row in self.rows
            if row["at"] >= since and (before == "None" or row["at"] < before)
        ]
        at = int(query.get("at", 0))
        more = f"/cats.json?at={at + PAGE}&since={since}&before={before}"
        has_more = len(found) > at + PAGE
        return answer_json(
            {"rows": found[at : at + PAGE], "next": more if has_more else None}
        )

    def _interrupt(self) -> None:
        """At the request that was asked for; it is answered once that was noticed."""
        assert self.interrupts_at is not None
        self.interrupts_at -= 1
        if self.interrupts_at == 0:
            self.interrupt.result(60)()
            self.has_noticed.wait(60)

    def let_three_meet(self) -> None:
        """The first three requests are answered once all of them are there."""

        def end() -> None:
            self.meeting = None

        self.meeting = threading.Barrier(3, action=end)


@dataclass(kw_only=True)
class Rig:
    """A project whose API is running, and a person who backfills."""

    cats: Cats
    folder: Path
    url: str
    capfd: pytest.CaptureFixture[str]

    def write(self, dataset: str = SLICED, api: str = API) -> None:
        folders(
            self.folder,
            datasets={"cats.yaml": dataset},
            apis={"cats.yaml": api % self.url},
        )

    @property
    def options(self) -> list[str]:
        return [
            *("--datasets", str(self.folder / "datasets")),
            *("--apis", str(self.folder / "apis")),
        ]

    @property
    def place(self) -> list[str]:
        landing = (self.folder / "landing").as_uri()
        return ["--landing", landing, "--state", str(self.folder / "state.json")]

    def __call__(self, *more: str, window: list[str] = WINDOW) -> tuple[int, str, str]:
        self.capfd.readouterr()
        code = run(["backfill", "cats", *window, *self.place, *self.options, *more])
        said = self.capfd.readouterr()
        return code, said.out, said.err

    def json(self, *more: str, window: list[str] = WINDOW) -> tuple[int, Any]:
        code, out, _ = self(*more, "--json", window=window)
        assert out.count("\n") == 1
        return code, json.loads(out)

    def pull(self) -> None:
        place = [part.replace("--landing", "--to") for part in self.place]
        assert run(["pull", "cats", *place, *self.options]) == 0

    def state(self) -> DatasetState:
        with FileState(path=self.folder / "state.json") as state:
            return state.read("cats")

    def landed(self) -> Counter[bytes]:
        return landed(self.folder / "landing")


def landed(folder: Path) -> Counter[bytes]:
    """How often each record is visible."""
    return Counter(
        line
        for file in folder.glob("raw/**/*.gz")
        for line in gzip.decompress(file.read_bytes()).splitlines()
    )


def upstream(found: list[dict[str, Any]]) -> Counter[bytes]:
    return Counter(json.dumps(row, separators=(", ", ": ")).encode() for row in found)


def same(one: Counter[bytes], other: Counter[bytes]) -> bool:
    """By key and content, white space aside."""

    def plain(counter: Counter[bytes]) -> Counter[str]:
        return Counter(
            {json.dumps(json.loads(line)): count for line, count in counter.items()}
        )

    return plain(one) == plain(other)


@pytest.fixture
def rig(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Rig]:
    cats = Cats(rows=rows(12))
    with serving(cats) as server:
        made = Rig(cats=cats, folder=tmp_path, url=server.url, capfd=capfd)
        made.write()
        yield made


def test_a_window_lands_once_in_slices_and_the_cursor_stays(rig: Rig) -> None:
    code, document = rig.json()
    assert code == 0
    wanted = [row for row in rig.cats.rows if row["at"] < "2013-01-11"]
    assert same(rig.landed(), upstream(wanted))
    assert [one["status"] for one in document["slices"]] == ["landed"] * 10
    assert (document["status"], document["rows"]) == ("succeeded", len(wanted))
    assert document["slices"][0]["from"] == "2013-01-01T00:00:00Z"
    assert document["slices"][-1]["to"] == "2013-01-11T00:00:00Z"
    assert rig.state() == DatasetState(dataset="cats")


def test_done_twice_it_adds_nothing(rig: Rig) -> None:
    _, first = rig.json()
    before = rig.landed()
    code, second = rig.json()
    assert (code, second) == (0, first)
    assert rig.landed() == before


def test_again_lands_the_rows_again_for_merge(rig: Rig) -> None:
    rig.json()
    rig.cats.rows[0]["n"] = 1
    code, document = rig.json("--again")
    assert (code, document["attempt"]) == (0, 2)
    assert set(rig.landed().values()) == {1, 2}
    # the newer version wins the view: the greater run id
    runs = sorted(
        (file.name, gzip.decompress(file.read_bytes()))
        for file in (rig.folder / "landing").glob("raw/**/*.gz")
    )
    newest = [body for _, body in runs if b'"id": 10,' in body or b'"id":10,' in body]
    assert b'"n": 1}' in newest[-1] or b'"n":1}' in newest[-1]
    code, document = rig.json()
    assert (code, document["attempt"]) == (0, 2)


def test_live_pulls_beside_it_change_nothing_of_each_other(rig: Rig) -> None:
    rig.cats.rows = rows(5)
    rig.pull()
    before = rig.state()
    code, _ = rig.json(window=["--from", "2013-01-01", "--to", "2013-01-04"])
    assert code == 0
    assert rig.state() == before
    rig.cats.rows = rows(6)
    rig.pull()
    after = rig.state()
    assert after.cursor.value == "2013-01-06T23:59:59Z"
    counts = {
        json.loads(line)["at"][:10]: count for line, count in rig.landed().items()
    }
    assert counts == {
        **dict.fromkeys(("2013-01-01", "2013-01-02", "2013-01-03"), 2),
        **dict.fromkeys(("2013-01-04", "2013-01-05", "2013-01-06"), 1),
    }


def test_a_slices_run_stands_behind_what_landed_and_before_what_comes(
    rig: Rig,
) -> None:
    rig.cats.rows = rows(5)
    rig.pull()
    _, document = rig.json()
    slices = [run_id for one in document["slices"] for run_id in one["run_ids"]]
    rig.cats.rows = rows(6)
    rig.pull()
    with FileState(path=rig.folder / "state.json") as state:
        newest, oldest = state.latest_runs("cats", 2)
    assert len(set(slices)) == len(slices) > 4
    assert oldest.run_id < min(slices) < max(slices) < newest.run_id


def test_slices_run_side_by_side_up_to_parallel(rig: Rig) -> None:
    rig.cats.let_three_meet()
    with serving(rig.cats, side_by_side=True) as server:
        rig.url = server.url
        rig.write()
        code, document = rig.json("--parallel", "3")
    assert code == 0
    with FileState(path=rig.folder / "state.json") as state:
        runs = [
            run
            for one in document["slices"]
            for run_id in one["run_ids"]
            if (run := state.read_run(f"cats/{one['slice']}", run_id)) is not None
        ]
    at_once = [
        sum(
            other.started_at <= run.started_at < other.finished_at
            for other in runs
            if other.finished_at is not None
        )
        for run in runs
    ]
    assert len(runs) == 10
    assert max(at_once) == 3


def test_the_budget_of_the_api_is_one_for_all_slices(rig: Rig) -> None:
    rig.write(api=API + "rate_limit: {requests: 20, period: second}\n")
    began = time.monotonic()
    code, _ = rig.json("--parallel", "8")
    took_s = time.monotonic() - began
    # ten slices of two pages: two at once, then 19 a second
    assert code == 0
    assert took_s > 18 / 20


def test_a_slice_that_fails_is_named_and_tried_again_alone(rig: Rig) -> None:
    rig.cats.broken_days = {"2013-01-03", "2013-01-07"}
    code, document = rig.json()
    assert (code, document["status"]) == (3, "failed")
    failed = [one for one in document["slices"] if one["status"] == "failed"]
    assert [one["from"][:10] for one in failed] == ["2013-01-03", "2013-01-07"]
    assert failed[0]["error"]["kind"] == "http"
    assert "400" in failed[0]["error"]["message"]
    assert failed[0]["run_ids"] == []
    before = rig.landed()
    code, _, err = rig()
    assert code == 3
    assert "slice " in err
    assert "2013-01-07" in err
    assert rig.landed() == before
    rig.cats.broken_days = set()
    code, document = rig.json()
    assert (code, document["status"]) == (0, "succeeded")
    wanted = [row for row in rig.cats.rows if row["at"] < "2013-01-11"]
    assert same(rig.landed(), upstream(wanted))


def test_a_terminal_is_shown_a_bar_and_scripts_their_document(rig: Rig) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own command, no shell
        [
            *(sys.executable, "-m", "cli", "backfill", "cats", "--json", *WINDOW),
            *(*rig.place, *rig.options),
        ],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how a terminal ends on Linux
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, json.loads(out)["landed"]) == (0, 10)
    assert b"10/10" in shown
    assert b"60 rows" in shown
    # The cursor is there again.
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


def test_a_dataset_that_does_not_ask_for_the_end_is_told_what_that_costs(
    rig: Rig,
) -> None:
    assert "reads on" not in rig()[2]
    rig.write(changed(SLICED, ', before: "{incremental.end_value}"', ""))
    code, _, err = rig(window=["--from", "2013-01-01", "--to", "2013-01-03"])
    assert (code, "reads on to the newest row" in err) == (0, True)
    assert "{incremental.end_value}" in err


def test_lines_say_how_far_it_is_where_there_is_no_terminal(rig: Rig) -> None:
    _, out, err = rig()
    assert "cats: 10 of 10 slices, 60 rows landed" in err
    assert "10 of 10 slices of P1D" in out
    assert "live cursor stays at the beginning" in out


APPEND = changed(
    changed(SLICED, "write_disposition: merge", "write_disposition: append"),
    "2013-01-01T00:00:00Z",
    "2013-01-05T00:00:00Z",
)
UNFIT: dict[str, tuple[str, list[str], str]] = {
    "replace": (
        changed(SLICED, "write_disposition: merge", "write_disposition: replace"),
        WINDOW,
        "no incremental",
    ),
    "append over what live pulls land": (APPEND, WINDOW, "ends at or before"),
    "an open start": (
        changed(SLICED, "cursor_path: at", "cursor_path: at\n      range_start: open"),
        WINDOW,
        "needs `closed`",
    ),
    "no duration": (SLICED, [*WINDOW, "--slice", "1 day"], "such as P1D"),
    "a duration of nothing": (SLICED, [*WINDOW, "--slice", "P0D"], "such as P1D"),
    "too many": (SLICED, [*WINDOW, "--slice", "PT1S"], "864,000 slices"),
    "backwards": (
        SLICED,
        ["--from", "2013-01-02T00:00:00Z", "--to", "2013-01-01T00:00:00Z"],
        "must be before",
    ),
    "no offset": (
        SLICED,
        ["--from", "2013-01-02T00:00:00", "--to", "2013-02-01T00:00:00Z"],
        "carries no offset",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_cannot_be_backfilled_is_refused_by_a_sentence(
    rig: Rig, name: str
) -> None:
    dataset, window, sentence = UNFIT[name]
    rig.write(dataset)
    code, out, err = rig(window=window)
    assert (code, out) == (2, "")
    assert sentence in err
    assert rig.landed() == Counter()


def test_a_landing_without_a_state_is_refused(rig: Rig) -> None:
    code = run(["backfill", "cats", *WINDOW, *rig.place[:2], *rig.options])
    assert code == 2
    assert "belong together" in rig.capfd.readouterr().err


def test_what_is_appended_is_filled_once_before_its_first_live_pull(
    rig: Rig,
) -> None:
    rig.write(APPEND)
    window = ["--from", "2013-01-01T00:00:00Z", "--to", "2013-01-05T00:00:00Z"]
    assert rig.json(window=window)[0] == 0
    rig.pull()
    assert rig.json(window=window)[0] == 0
    assert same(rig.landed(), upstream(rig.cats.rows))
    code, _, err = rig("--again", window=window)
    assert (code, "appends them" in err) == (2, True)
    code, _, err = rig("--slice", "P2D", window=window)
    assert (code, "in slices of P1D" in err) == (2, True)
    assert same(rig.landed(), upstream(rig.cats.rows))


@pytest.mark.parametrize(
    "request_number", [1, 5, 12], ids=["first", "fifth", "twelfth"]
)
def test_an_interruption_ends_cleanly_and_the_same_command_goes_on(
    rig: Rig, request_number: int
) -> None:
    rig.cats.interrupts_at = request_number
    process = started(
        "cats", "--json", *WINDOW, *rig.place, *rig.options, "--parallel", "2"
    )
    rig.cats.interrupt.set_result(lambda: process.send_signal(signal.SIGINT))
    assert said_that_it_ends(process)
    rig.cats.has_noticed.set()
    out, err = process.communicate(timeout=120)
    rig.cats.interrupts_at = None
    assert process.returncode == 130
    assert b"the same command goes on" in err
    assert b"Traceback" not in err
    document = json.loads(out)
    assert document["status"] == "interrupted"
    assert 0 < document["pending"] <= 10
    visible = rig.landed()
    assert set(visible.values()) <= {1}
    code, document = rig.json()
    assert (code, document["landed"]) == (0, 10)
    wanted = [row for row in rig.cats.rows if row["at"] < "2013-01-11"]
    assert same(rig.landed(), upstream(wanted))
    assert rig.state() == DatasetState(dataset="cats")


@pytest.mark.parametrize(
    ("instead", "is_sent_twice"),
    [
        (Answer(status=503, headers={"Retry-After": "120"}), False),
        (Answer(fault="hang"), True),
    ],
    ids=["while it waits to retry", "while a request hangs, by a second Ctrl-C"],
)
def test_nobody_waits_long_for_an_interrupted_backfill(
    rig: Rig, instead: Answer, *, is_sent_twice: bool
) -> None:
    rig.write(api=changed(API, "max_attempts: 1", "max_attempts: 5"))
    rig.cats.instead = instead
    process = started("cats", *WINDOW, *rig.place, *rig.options)
    assert rig.cats.asked.wait(60)
    process.send_signal(signal.SIGINT)
    assert said_that_it_ends(process)
    if is_sent_twice:
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"the same command goes on" in err
    assert b"Traceback" not in err
    assert rig.landed() == Counter()
    rig.cats.instead = None
    assert rig.json()[0] == 0
