"""`--env local` finds the stack that is up in this folder, and no other."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.deployed.local import LocalStack
from lambdas.core.errors import BadInput

REAL = datetime(2026, 11, 28, 7, tzinfo=UTC)
THEN = datetime(2013, 1, 1, tzinfo=UTC)


@pytest.fixture
def stack(tmp_path: Path) -> LocalStack:
    owner = tmp_path / "owner.json"
    owner.touch()
    return LocalStack(
        owner=owner,
        environments=tmp_path / "environments",
        variables={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        began_at=REAL,
        start=THEN,
        speed=60.0,
        pages={"status page": "http://127.0.0.1:2/"},
        datasets=["cats"],
    )


def test_a_stack_is_found_while_its_owner_lives(
    stack: LocalStack, tmp_path: Path
) -> None:
    file = tmp_path / "local.json"
    stack.write(file)
    with stack.owner.open("r+") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        assert LocalStack.read(file) == stack

    with pytest.raises(BadInput, match="`catflap try --stay` in another terminal"):
        LocalStack.read(file)


def test_without_a_stack_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no embedded stack is up in this folder"):
        LocalStack.read(tmp_path / "local.json")


def test_only_its_owner_may_read_how_to_reach_it(
    stack: LocalStack, tmp_path: Path
) -> None:
    stack.write(tmp_path / "local.json")

    assert (tmp_path / "local.json").stat().st_mode & 0o077 == 0


def test_its_time_passes_as_fast_as_it_was_told(stack: LocalStack) -> None:
    assert stack.now(REAL + timedelta(minutes=1)) == THEN + timedelta(hours=1)


def test_commands_ask_it_by_variables(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "before")
    monkeypatch.setenv("CATFLAP_NOW", "before")
    stack.enter()

    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert datetime.fromisoformat(os.environ["CATFLAP_NOW"]) > THEN
