from __future__ import annotations

import dataclasses
from datetime import timedelta

from lambdas.core.freshness.attainment import Day
from lambdas.core.reports.page.strip import strip_of
from tests.pages import NOW, a_tally

WARNED = Day(day="2026-11-14", warn_s=3 * 3600)
FAILED = Day(day="2026-11-20", warn_s=600, error_s=5400)


def test_a_day_is_a_letter_and_the_worst_of_it_counts() -> None:
    strip = strip_of(a_tally(WARNED, FAILED), now=NOW)
    assert len(strip) == 30
    assert strip == "k" * 15 + "w" + "k" * 5 + "e" + "k" * 8


def test_days_before_anybody_looked_are_not_called_good() -> None:
    young = dataclasses.replace(a_tally(), since=NOW - timedelta(days=2))
    assert strip_of(young, now=NOW) == "-" * 27 + "kkk"
    assert strip_of(None, now=NOW) == "-" * 30
