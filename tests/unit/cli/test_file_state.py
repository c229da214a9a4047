"""A file keeps the promises of the state table."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.one_machine.file_state import RUNS_KEPT, FileState
from lambdas.core.errors import BadInput, RunErrorKind, StateConflict
from lambdas.core.landing.names import new_run_id
from lambdas.core.pull.run import CursorPosition, DatasetState, Run, RunError, RunStatus

START = datetime(2013, 1, 1, 5, 0, 0, 123000, tzinfo=UTC)
RUN = Run(
    dataset="cats",
    run_id="20130101T050000.123Z-0123456789ab",
    status=RunStatus.COMMITTING,
    started_at=START,
    finished_at=None,
    rows=3,
    size=100,
    objects=1,
    pages=2,
    requests=3,
    retries=1,
    cursor_before=None,
    cursor_after="2013-01-01T04:00:00Z",
)
EDGE = frozenset({b"a" * 16, bytes(range(16))})


def landed(before: DatasetState) -> tuple[DatasetState, Run]:
    after = dataclasses.replace(
        before,
        cursor=CursorPosition(value=7, edge=EDGE),
        committing=None,
        last_success_started_at=START,
    )
    return after, dataclasses.replace(RUN, status=RunStatus.LANDED, finished_at=START)


def test_what_was_written_is_read_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.json"
    with FileState(path=path) as state:
        assert state.read("cats") == DatasetState(dataset="cats")
        recorded = state.record_committing(state.read("cats"), RUN)
        assert recorded.committing == RUN.run_id
        assert state.committing_datasets() == ["cats"]
    with FileState(path=path) as state:
        assert state.read("cats") == recorded
        assert state.read_run("cats", RUN.run_id) == RUN
        after, run = landed(recorded)
        written = state.record_landed(recorded, after, run)
    with FileState(path=path) as state:
        assert state.read("cats") == written
        assert written.cursor == CursorPosition(value=7, edge=EDGE)
        assert state.committing_datasets() == []
        assert state.read_run("cats", RUN.run_id) == run


def test_who_read_an_older_version_is_refused_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    with FileState(path=tmp_path / "state.json") as state:
        before = state.read("cats")
        recorded = state.record_committing(before, RUN)
        other = dataclasses.replace(RUN, run_id="20130101T060000.000Z-0123456789ab")
        with pytest.raises(StateConflict):
            state.record_committing(before, other)
        with pytest.raises(StateConflict):
            state.record_landed(before, before, other)
        with pytest.raises(StateConflict):
            state.record_voided(before, other)
        assert state.read("cats") == recorded
        assert state.read_run("cats", other.run_id) is None


def test_a_voided_run_leaves_the_cursor(tmp_path: Path) -> None:
    with FileState(path=tmp_path / "state.json") as state:
        recorded = state.record_committing(state.read("cats"), RUN)
        voided = dataclasses.replace(RUN, status=RunStatus.VOIDED)
        after = state.record_voided(recorded, voided)
        assert (after.committing, after.cursor) == (None, CursorPosition())


def test_a_failed_run_is_kept_and_moves_nothing(tmp_path: Path) -> None:
    error = RunError(kind=RunErrorKind.HTTP, message="500")
    failed = dataclasses.replace(RUN, status=RunStatus.FAILED, error=error)
    with FileState(path=tmp_path / "state.json") as state:
        state.record_started(RUN)
        state.record_failed(failed)
        assert state.read("cats") == DatasetState(dataset="cats")
        assert state.latest_runs("cats", 5) == [failed]


def test_old_runs_are_forgotten_but_never_one_that_is_committing(
    tmp_path: Path,
) -> None:
    with FileState(path=tmp_path / "state.json") as state:
        state.record_committing(state.read("cats"), RUN)
        for hour in range(1, RUNS_KEPT + 5):
            at = START + timedelta(hours=hour)
            run_id = new_run_id(at, b"012345")
            state.record_failed(
                dataclasses.replace(
                    RUN, run_id=run_id, started_at=at, status=RunStatus.FAILED
                )
            )
        runs = state.latest_runs("cats", 1000)
        assert len(runs) == RUNS_KEPT + 1
        assert runs[-1] == RUN


def test_two_pulls_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    program = (
        "import sys; from pathlib import Path\n"
        "from cli.one_machine.file_state import FileState\n"
        "from lambdas.core.errors import StateConflict\n"
        "try:\n    FileState(path=Path(sys.argv[1])).__enter__()\n"
        "except StateConflict as error:\n    print(error)\n"
        "else:\n    print('open')\n"
    )

    def other() -> str:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", program, str(path)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    with FileState(path=path):
        assert "another pull has" in other()
    assert other() == "open\n"


def test_a_link_stays_one_and_what_it_leads_to_is_locked(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "state.json"
    link.symlink_to(real)
    with FileState(path=link) as state:
        state.record_failed(RUN)
        with pytest.raises(StateConflict), FileState(path=real):
            pass
    assert link.is_symlink()
    with FileState(path=real) as state:
        assert state.latest_runs("cats", 1) == [RUN]


def test_a_write_that_fails_leaves_the_old_state(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with FileState(path=path) as state:
        recorded = state.record_committing(state.read("cats"), RUN)
        before = path.read_bytes()
        blocked = tmp_path / f".state.json.{os.getpid()}"
        blocked.mkdir()
        after, run = landed(recorded)
        with pytest.raises(BadInput, match="--state"):
            state.record_landed(recorded, after, run)
        assert path.read_bytes() == before
        assert state.read("cats") == recorded


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"catflap_state": 2}', '{"other": 1}', '{"runs": {"a": 1}}'],
)
def test_a_file_of_another_kind_is_bad_input_and_stays(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="not a state file of catflap"):
        FileState(path=path).__enter__()
    assert path.read_text() == text
    path.unlink()
    with FileState(path=path):
        pass


def test_a_place_one_may_not_write_to_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="--state"):
        FileState(path=tmp_path / "file" / "state.json").__enter__()
