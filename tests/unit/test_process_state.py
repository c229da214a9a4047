"""That a test which leaves something behind is the one that fails."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from lambdas.adapters import catalogue
from lambdas.adapters.clients import client
from tests.process_state import (
    NOWHERE,
    OURS,
    changes,
    environment_of_tests,
    found,
    logging_as_outside_lambda,
    threads_that_stay,
)


def _set_a_variable(undo: pytest.MonkeyPatch, _: Path) -> None:
    undo.setenv("CATFLAP_SECRET_CATS_TOKEN", "meow-1")


def _silence_all_logs(undo: pytest.MonkeyPatch, _: Path) -> None:
    undo.setattr(logging.root.manager, "disable", logging.CRITICAL)


def _change_the_folder(undo: pytest.MonkeyPatch, folder: Path) -> None:
    undo.chdir(folder)


def _import_from_elsewhere(undo: pytest.MonkeyPatch, folder: Path) -> None:
    undo.setattr(sys, "path", [*sys.path, str(folder)])


def _add_a_handler(undo: pytest.MonkeyPatch, _: Path) -> None:
    undo.setattr(
        logging.root, "handlers", [*logging.root.handlers, logging.NullHandler()]
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_set_a_variable, "variables: CATFLAP_SECRET_CATS_TOKEN"),
        (_silence_all_logs, "disabled logging: 0 before, 50 after"),
        (_change_the_folder, "working directory"),
        (_import_from_elsewhere, "sys.path"),
        (_add_a_handler, "the root logger's handlers"),
    ],
)
def test_what_is_left_behind_is_named(
    change: Callable[[pytest.MonkeyPatch, Path], None], named: str, tmp_path: Path
) -> None:
    before = found()
    assert changes(before, found()) == []
    with pytest.MonkeyPatch.context() as undo:
        change(undo, tmp_path)
        (told,) = changes(before, found())
    assert told.startswith(named)
    assert "meow-1" not in told
    assert changes(before, found()) == []


def test_a_clock_that_is_not_put_back_is_named() -> None:
    before = found()
    with time_machine.travel(datetime(2013, 1, 1, tzinfo=UTC)):
        assert "a moved clock: False before, True after" in changes(before, found())


def test_a_thread_that_ends_is_waited_for_and_one_that_stays_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {*threading.enumerate()}
    goes_on, asked = threading.Event(), threading.Event()

    def ends() -> None:
        asked.wait()
        goes_on.set()

    ending = threading.Thread(target=ends)
    staying = threading.Thread(target=goes_on.wait, name="the next test's trouble")
    for one in (staying, ending):
        one.start()
    monkeypatch.setattr("tests.process_state.THREADS_END_WITHIN_S", 0)
    assert threads_that_stay(before | {ending}) == ["the next test's trouble"]
    monkeypatch.undo()
    asked.set()
    assert threads_that_stay(before) == []
    assert not staying.is_alive()


def test_which_aws_a_persons_shell_means_is_none_of_the_tests_affair() -> None:
    shell = {
        "AWS_PROFILE": "work", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_CONFIG_FILE": "/home/ann/.aws/config", "SNOWFLAKE_HOME": "/home/ann",
        "CATFLAP_SECRET_CATS": "meow-1", "CATFLAP_USED_GRANTS": "build/grants.jsonl",
        "COLUMNS": "40", "PATH": "/bin", "TZ": "Asia/Tokyo",
    }  # fmt: skip
    assert environment_of_tests(shell) == {
        "PATH": "/bin",
        "TZ": "Asia/Tokyo",
        "CATFLAP_USED_GRANTS": "build/grants.jsonl",
        **NOWHERE,
    }
    assert "AWS_PROFILE" not in os.environ


def test_a_catalogue_that_is_kept_for_the_next_test_is_named(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del aws
    monkeypatch.setenv("LANDING_BUCKET", "landing")
    monkeypatch.setenv("CATALOGUE_KEY", "catalogue/1.json")
    before = found()
    catalogue.published()
    left = changes(before, found())
    catalogue.published.cache_clear()
    client.cache_clear()
    (line,) = left
    assert "lambdas.adapters.catalogue.published" in line


def test_our_logs_come_through_whatever_a_handler_has_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger(OURS)
    kept = [logging.StreamHandler()]
    for name, value in (("propagate", False), ("level", logging.ERROR)):
        monkeypatch.setattr(logger, name, value)
    monkeypatch.setattr(logger, "handlers", kept)
    with logging_as_outside_lambda():
        logging.getLogger(f"{OURS}.freshness").warning("meow")
    assert "meow" in caplog.text
    assert (logger.propagate, logger.level) == (False, logging.ERROR)
    assert logger.handlers == kept
