"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lambdas.core.schedule.when import time_to_come

NOW = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", "2026-11-23T20:30:00+00:00"),
        ("45 min", "2026-11-23T19:15:00+00:00"),
        ("3d", "2026-11-26T18:30:00+00:00"),
        ("14:00", "2026-11-23T19:00:00+00:00"),
        ("9:00", "2026-11-24T14:00:00+00:00"),
        ("today 9:00", "2026-11-23T14:00:00+00:00"),
        ("Tomorrow  09:00", "2026-11-24T14:00:00+00:00"),
        ("2026-11-23T20:00:00+01:00", "2026-11-23T19:00:00+00:00"),
    ],
)
def test_a_time_is_read_on_the_clock_of_the_dataset(text: str, moment: str) -> None:
    assert time_to_come(text, now=NOW, timezone=NEW_YORK).isoformat() == moment


def test_tomorrow_is_right_on_the_day_the_clocks_change() -> None:
    before = datetime(2026, 10, 31, 18, tzinfo=UTC)
    read = time_to_come("tomorrow 09:00", now=before, timezone=NEW_YORK)
    assert read.isoformat() == "2026-11-01T14:00:00+00:00"


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-11-23T20:00:00", "-2h"])
def test_what_is_no_time_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match="accepted: `2h`"):
        time_to_come(text, now=NOW, timezone=NEW_YORK)
