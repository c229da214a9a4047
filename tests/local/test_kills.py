from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.embedded_world import World
from tests.local.kills import assassin_of

KILLS = 10


@pytest.mark.long
def test_pulls_killed_at_random_moments_lose_no_row_and_double_none(
    embedded: World, tmp_path: Path
) -> None:
    with assassin_of(embedded, logs=tmp_path, seed=7) as assassin:
        tally = assassin.run(KILLS)
    assert tally.faults == []
    # the last message may be hunted once more when it comes again
    assert tally.kills >= KILLS
    assert len(tally.fell) > 1, "kills that all fall in one place prove little"
