"""Two nights of January as they were, then two outages: the month's short version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from local.scenarios.january import (
    START,
    Found,
    Month,
    Quiet,
    a_month,
    lived,
    outages,
    page,
)
from local.scenarios.replay import flat_alarms
from tests.synthesis import Synthesized

pytestmark = pytest.mark.long

NIGHTS = START + timedelta(hours=45)
"""The third morning, flights leaving again."""


@pytest.fixture(scope="module")
def month(
    calm: Synthesized, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Month]:
    folder = tmp_path_factory.mktemp("january") / "month"
    with a_month(folder, days=4, assembly=calm.assembly) as made:
        made.live(NIGHTS)
        yield made


def test_nights_in_which_nothing_leaves_are_told_to_nobody(month: Month) -> None:
    assert month.told == []
    assert month.stack.failures() == []
    hours = month.hours()
    assert flat_alarms(hours, threshold=timedelta(hours=3), until=NIGHTS) == 2


@pytest.mark.parametrize("cause", ["not_notified", "schedule_disabled"])
def test_an_outage_is_found_by_its_name_and_its_end_is_told(
    month: Month, cause: str
) -> None:
    (outage,) = (one for one in outages() if one.cause == cause)
    month.live(month.now + timedelta(hours=2))
    found = lived(month, outage)
    assert found.faults == ()
    assert cause in found.named
    assert found.told_after is not None
    assert found.told_after < timedelta(hours=14)


def test_the_page_counts_what_was_not_as_it_must_be() -> None:
    one = Found(
        outage=outages()[0],
        began=START,
        named=(),
        told_after=None,
        recovered_after=None,
        faults=("not found",),
    )
    text = page(Quiet(days=31, flat=30), [one], 7)
    assert "flat threshold of 3 hours | 30 |" in text
    assert "1 outages, 0 as they must be" in text
    assert "never" in text
