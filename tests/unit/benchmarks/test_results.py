"""What the benchmark writes down."""

from __future__ import annotations

import pytest

from benchmarks import shapes
from benchmarks.__main__ import kept
from benchmarks.freshness import (
    COUNT,
    LATE,
    ContenderTimes,
    DisagreementError,
    _agree,
    ages,
    expected,
    most,
    report,
)
from benchmarks.freshness_check import WaitTime


def test_a_section_is_made_anew_and_the_others_stay() -> None:
    page = kept("", "Pulling", "one")
    page = kept(page, "Judging freshness", "two\n")
    assert page == "# Results\n\n## Pulling\none\n\n## Judging freshness\ntwo\n"
    again = kept(page, "Pulling", "three")
    assert again == page.replace("one", "three")


def test_waits_of_several_threads_count_once() -> None:
    waiting = WaitTime(spans=[(0, 1), (4, 6), (5, 7), (5.5, 6), (9, 10)])
    assert waiting.seconds(4.5) == 3.5


def test_the_drawn_tables_are_the_same_each_time_and_late_as_they_should_be() -> None:
    drawn = ages(COUNT)
    assert drawn == ages(COUNT)
    states = list(expected(drawn).values())
    assert (states.count("warn"), states.count("error")) == (LATE, LATE)
    with pytest.raises(DisagreementError, match="dbt"):
        _agree("dbt", expected(drawn), {**expected(drawn), "t00000": "error"})


def test_the_report_tells_the_stand_ins_time_apart() -> None:
    dbt = ContenderTimes(seconds=20.0, cpu=20.0, megabytes=190)
    ours = ContenderTimes(
        seconds=2.0, waited=1.5, cpu=0.5, megabytes=120, statements=2, explaining=60
    )
    text = report({"dbt": dbt, "cold": ours, "warm": ours}, ours)
    assert "40 × its own, 10 × with the stand-ins', 40 × by CPU" in text
    assert f"2 (at most {most(COUNT)})" in text
    assert most(10_000) == 22


def test_every_odd_shape_is_read_and_reported() -> None:
    lines = shapes.report(sizes=(200, 400)).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + len(shapes.SHAPES)
