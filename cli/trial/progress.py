"""What a trial shows while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Self

from rich.console import Console
from rich.progress import Progress as Bar
from rich.status import Status

from cli.trial.times import Times
from local.trial.trial import Step
from project.fault import printable


class StepLines:
    """A line for each step, and a spinner beside the one that goes on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def report(self, step: Step) -> None:
        """A step begins, or it is done."""
        self.stop()
        if step.seconds:
            self.say(f"  {step.what:<28}{step.outcome}  ({step.seconds:.1f} s)")
        elif self._console.is_terminal:
            self._status = self._console.status(f"{step.what} …")
            self._status.start()

    def say(self, text: str) -> None:
        """A line."""
        self._console.print(printable(text), markup=False)

    def through(self, moments: Iterator[datetime], times: Times) -> None:
        """A bar while time passes, or a line a day."""
        assert times.start is not None  # noqa: S101 - narrows for mypy
        assert times.end is not None  # noqa: S101 - narrows for mypy
        self.stop()
        whole = (times.end - times.start).total_seconds()
        with Bar(console=self._console, disable=not self._console.is_terminal) as bar:
            task = bar.add_task("living", total=whole)
            day = times.start.date()
            for now in moments:
                done = (now - times.start).total_seconds()
                bar.update(task, completed=done, description=f"{now:%d %b %H:%M} UTC")
                if now.date() != day and not self._console.is_terminal:
                    self.say(f"  lived through {day:%d %B %Y}")
                day = now.date()

    def stop(self) -> None:
        """No step goes on."""
        if self._status is not None:
            self._status.stop()
            self._status = None
