"""What `make bench` measures is the code as it is: a few tables, judged as there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from benchmarks.freshness import LATE, StandIns, ages, most

COUNT = 3 * LATE


def test_a_small_benchmark_judges_and_explains_what_is_late(tmp_path: Path) -> None:
    stand = StandIns(tmp_path, ages(COUNT), datetime.now(UTC))
    with stand.up():
        found = stand.check(0)  # raises unless each state is the expected one

    for which in ("cold", "warm"):
        assert found[which]["suspects"] == 2 * LATE
        assert 0 < found[which]["statements"] <= most(COUNT)
        assert found[which]["explaining"] == 4 * LATE
        assert found[which]["cpu"] > 0
