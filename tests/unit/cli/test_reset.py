"""`catflap reset` sets a cursor, here and in an environment."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from cli.main import run
from cli.one_machine.file_state import FileState
from lambdas.core.pull.run import CursorPosition, DatasetState
from tests.unit.cli.files import DATASET, changed, folders
from tests.unit.cli.test_deployed import House, house

__all__ = ["house"]

NOON = "2013-01-15T12:00:00Z"
POISONED = CursorPosition(value="9999-12-31T00:00:00Z", edge=frozenset({b"x" * 16}))


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    datasets, apis = folders(tmp_path)
    with FileState(path=tmp_path / "state.json") as state:
        fresh = state.read("cats")
        state.record_lane(fresh, dataclasses.replace(fresh, cursor=POISONED))
    folder = ["--datasets", str(datasets), "--apis", str(apis)]
    return [*folder, "--state", str(tmp_path / "state.json")]


def cursor_in(tmp_path: Path) -> CursorPosition:
    with FileState(path=tmp_path / "state.json") as state:
        return state.read("cats").cursor


def test_the_cursor_is_set_back_and_forgets_the_rows_at_its_edge(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reset", "cats", "--cursor", NOON, *options, "--json"]) == 0
    assert cursor_in(tmp_path) == CursorPosition(value=NOON)
    document = json.loads(capsys.readouterr().out)
    assert document["cursor_before"] == POISONED.value
    assert document["cursor_after"] == NOON


def test_full_begins_at_the_beginning(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reset", "cats", "--full", *options]) == 0
    assert cursor_in(tmp_path) == CursorPosition()
    assert "and is at the beginning" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("disposition", "said"),
    [("append", "in the table twice"), ("merge", "show once")],
)
def test_it_says_what_becomes_of_rows_that_come_again(
    options: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    disposition: str,
    said: str,
) -> None:
    text = changed(DATASET, "disposition: merge", f"disposition: {disposition}")
    (tmp_path / "datasets/cats.yaml").write_text(text)
    assert run(["reset", "cats", "--full", *options]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    "asked",
    [
        [],
        ["--full", "--cursor", NOON],
        ["--cursor", "soon"],
        ["--full", "--state", "/nowhere/state.json"],
    ],
)
def test_what_makes_no_sense_is_refused_and_moves_nothing(
    options: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    asked: list[str],
) -> None:
    assert run(["reset", "cats", *options, *asked]) == 2
    assert capsys.readouterr().err
    assert cursor_in(tmp_path) == POISONED


def test_the_cursor_of_an_environment_is_set(house: House) -> None:
    poisoned = DatasetState(dataset="cats", cursor=POISONED)
    house.runs.record_lane(DatasetState.fresh("cats"), poisoned)
    code, _ = house("reset", "cats", "--cursor", NOON)
    assert code == 0
    assert house.runs.read("cats").cursor == CursorPosition(value=NOON)


def test_while_a_run_is_being_made_visible_the_cursor_stays(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    committing = DatasetState(dataset="cats", cursor=POISONED, committing="r")
    house.runs.record_lane(DatasetState.fresh("cats"), committing)
    assert run(["reset", "cats", "--full", *house.options]) == 2
    assert "being made visible" in capsys.readouterr().err
    assert house.runs.read("cats").cursor == POISONED
