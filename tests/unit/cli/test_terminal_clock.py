"""Whoever waits before a terminal reads what for."""

from __future__ import annotations

import pytest

from cli.one_machine.terminal_clock import TerminalClock


@pytest.mark.parametrize(
    ("seconds", "is_terminal", "said"),
    [
        (30.2, True, "waiting 30 s before the API is asked again\n"),
        (200.0, True, "waiting 3 min 20 s before the API is asked again\n"),
        (0.5, True, ""),
        (30.2, False, ""),
    ],
)
def test_a_wait_is_told_on_a_terminal(
    seconds: float,
    is_terminal: bool,  # noqa: FBT001 - a parameter of the table
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("lambdas.adapters.environment.time.sleep", slept.append)
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    TerminalClock().sleep(seconds)
    assert slept == [seconds]
    assert capsys.readouterr().err == said
