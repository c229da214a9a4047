"""The time that a trial lives through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cli.deployed.environment import moment
from cli.output import when
from lambdas.core.backfill.slices import parse_duration
from lambdas.core.errors import BadInput
from local.trial.kept_state import KeptMoment
from local.trial.live import TrialClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The time that is lived through; without a start it is the real one."""

    start: datetime | None
    end: datetime | None

    @property
    def has_only_begun(self) -> bool:
        """Whether nothing is lived through before it stays up."""
        return self.start is not None and self.end is None

    def going_on(self, kept: KeptMoment | None) -> Times:
        """The same, from where the last one ended. Raises BadInput."""
        if kept is None or (kept.is_real and self.start is None):
            return self
        if kept.is_real or self.start is None:
            lives = "in real time" if kept.is_real else "on a clock of its own"
            raise BadInput(
                f"the state in .catflap/local lives {lives}, at {when(kept.now)}; "
                "--fresh starts over"
            )
        passed = kept.now - self.start
        end = None if self.end is None else self.end + passed
        return Times(start=kept.now, end=end)

    def clock(self, speed: float) -> TrialClock:
        """What goes on from where it ends."""
        now = datetime.now(UTC)
        return TrialClock(
            start=self.end or self.start or now,
            began_at=now,
            speed=speed,
            is_real=self.start is None,
        )


def times_of(
    lasting: str | None, start: str | None, speed: float, *, stay: bool
) -> Times:
    """What the options say. Raises BadInput."""
    if speed != 1.0 and not stay:
        raise BadInput("--speed goes with --stay; --for is as fast as it can be")
    begins = None if start is None else moment("--start", start)
    if begins is None and (lasting is not None or speed != 1.0):
        begins = datetime.now(UTC)
    if lasting is None:
        if begins is not None and not stay:
            raise BadInput("--start needs --for P1D, which says how long, or --stay")
        return Times(start=begins, end=None)
    assert begins is not None  # noqa: S101 - narrows for mypy
    return Times(start=begins, end=parse_duration(lasting, "--for").after(begins, 1))
