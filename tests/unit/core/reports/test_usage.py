from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.incidents.incident import Recipient
from lambdas.core.reports.cost_report import CostReport
from lambdas.core.reports.estimate import Assumptions, monthly_cost
from lambdas.core.reports.usage import (
    OTHERS,
    AccountWeek,
    PipeUse,
    WakeUp,
    budget_said,
    jumps,
    savings,
    spent,
    wake_ups,
    weeks,
)
from lambdas.core.sql.account_usage import query_tag
from tests.datasets import a_dataset

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
EVERYBODY = ("cats", "dogs")
SNS = {Recipient.ENGINEERS: ("sns",)}


def at(minutes: float) -> datetime:
    return MONDAY + timedelta(minutes=minutes)


def woken(*served: tuple[str, ...], purpose: str = "check") -> list[WakeUp]:
    return [
        WakeUp(at=at(number), by="READER", purposes=(purpose,), serves=names)
        for number, names in enumerate(served)
    ]


def week(**changes: object) -> AccountWeek:
    known = AccountWeek(since=MONDAY, until=MONDAY + timedelta(days=7))
    return replace(known, **changes)  # type: ignore[arg-type]  # fields by name


def test_a_wake_up_is_divided_among_those_whom_its_statements_served() -> None:
    found = wake_ups(
        [(at(0), "a", "READER"), (at(10), "b", "READER")],
        [
            (at(0), "a", query_tag("check", ["cats"])),
            (at(0.1), "c", query_tag("check", ["dogs"])),
            (at(10), "b", query_tag("check", ["dogs"])),
        ],
        ours=["READER"],
        everybody=EVERYBODY,
    )
    assert [one.serves for one in found] == [("cats", "dogs"), ("dogs",)]
    used = spent(week(metered=0.04, wake_ups=found))
    assert used["cats"].warehouse == pytest.approx(0.01)
    assert used["dogs"].warehouse == pytest.approx(0.03)
    assert (used["cats"].alone, used["dogs"].alone) == (0, 1)


def test_what_somebody_else_woke_is_theirs_whatever_we_asked_meanwhile() -> None:
    found = wake_ups(
        [(at(0), "a", "MIA")],
        [(at(0), "a", ""), (at(0.5), "b", query_tag("check", ["cats"]))],
        ours=["READER"],
        everybody=EVERYBODY,
    )
    assert not found[0].is_ours
    assert spent(week(metered=1.0, wake_ups=found)).keys() == {OTHERS}


def test_a_statement_too_short_to_be_listed_is_known_by_its_user() -> None:
    (found,) = wake_ups(
        [(at(0), "a", "READER")], [], ours=["READER"], everybody=EVERYBODY
    )
    assert found.is_ours
    assert found.serves == EVERYBODY


def test_a_check_whose_names_do_not_fit_served_all() -> None:
    many = query_tag("check", [f"a_long_name_{number}" for number in range(300)])
    (found,) = wake_ups(
        [(at(0), "a", "READER")],
        [(at(0), "a", many)],
        ours=["READER"],
        everybody=EVERYBODY,
    )
    assert found.serves == EVERYBODY


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (
            week(metered=2.0, wake_ups=woken(*[("cats",)] * 120)),
            (
                "cats: $6.00, $0.60 the week before: checks for it woke the warehouse "
                "120 times, 12 the week before"
            ),
        ),
        (
            week(
                metered=2.0,
                wake_ups=[
                    *woken(*[("cats",)] * 12),
                    *woken(*[("cats",)] * 108, purpose="command"),
                ],
            ),
            (
                "cats: $6.00, $0.60 the week before: people's commands for it woke "
                "the warehouse 108 times, 0 the week before"
            ),
        ),
        (
            week(
                metered=0.2,
                wake_ups=woken(*[("cats",)] * 12),
                pipes={"cats": PipeUse(credits=1.0, gb=270.0, files=9)},
            ),
            (
                "cats: $3.60, $0.60 the week before: Snowpipe loaded 270.0 GB, "
                "0.0 GB the week before"
            ),
        ),
        (
            week(
                metered=2.2,
                wake_ups=[
                    *woken(*[("cats",)] * 12),
                    *(WakeUp(at=at(one), by="MIA") for one in range(120)),
                ],
            ),
            (
                "others: $6.00, nothing the week before: MIA woke the warehouse 120 "
                "times, 0 the week before"
            ),
        ),
    ],
    ids=["checks", "commands", "Snowpipe", "others"],
)
def test_a_jump_is_explained_by_what_grew(after: AccountWeek, why: str) -> None:
    before = week(metered=0.2, wake_ups=woken(*[("cats",)] * 12))
    assert jumps(before, after, price=3.0, lates={}) == [why]
    assert jumps(before, before, price=3.0, lates={}) == []


def test_a_jump_says_how_much_of_it_was_because_data_were_late() -> None:
    before = week(metered=0.2, wake_ups=woken(*[("cats",)] * 12))
    after = week(metered=2.0, wake_ups=woken(*[("cats",)] * 120))
    lates = {"cats": [(at(19.5), at(200))], "dogs": [(at(0), at(200))]}
    (said,) = jumps(before, after, price=3.0, lates=lates)
    assert said.endswith("12 the week before, 100 of them while it was late")
    (save,) = savings(after, pulls={}, price=3.0, lates=lates)
    assert save.startswith("cats alone woke the warehouse 20 times")


def test_what_would_save_most_comes_first() -> None:
    used = week(
        metered=2.0,
        wake_ups=woken(*[("cats",)] * 100, *[("cats", "dogs")] * 20),
        pipes={"dogs": PipeUse(credits=0.0, gb=0.0, files=7)},
    )
    first, second = savings(used, pulls={"cats": 7, "dogs": 168}, price=3.0, lates={})
    assert first.startswith("cats alone woke the warehouse 100 times")
    assert second == (
        "dogs is pulled 168 times a week, and 7 brought rows: a schedule that follows "
        "the source asks less"
    )


def test_the_weeks_are_whole_days_that_the_slowest_view_has() -> None:
    (_, middle), (begin, end) = weeks(MONDAY + timedelta(hours=7))
    assert begin == middle
    assert end == MONDAY - timedelta(days=1)
    assert weeks(MONDAY + timedelta(hours=8))[1][1] == MONDAY
    assert end - begin == timedelta(days=7)


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (79, ", 79% of its budget of $100.00"),
        (80, ", 80% of its budget of $100.00: nearly all of it"),
        (100, ", 100% of its budget of $100.00: more than it has"),
    ],
)
def test_a_budget_is_told_at_80_and_100_percent(usd: float, said: str) -> None:
    assert budget_said(usd, 100) == said
    assert budget_said(usd, None) == ""


def a_report(**changes: object) -> CostReport:
    datasets = {
        name: a_dataset(name=name, owner={"team": team})
        for name, team in (("cats", "left"), ("dogs", "right"))
    }
    known = CostReport(
        before=week(metered=0.2, wake_ups=woken(*[("cats",)] * 12)),
        after=week(metered=2.0, wake_ups=woken(*[("cats",)] * 120)),
        estimate=monthly_cost(
            datasets,
            start=MONDAY,
            check_every=timedelta(minutes=5),
            assumed=Assumptions(),
        ),
        datasets=datasets,
        budgets={},
        credit_price=3.0,
    )
    return replace(known, **changes)  # type: ignore[arg-type]  # fields by name


def test_the_report_says_whose_and_why_and_what_it_could_not_see() -> None:
    report = a_report()
    report = replace(report, after=replace(report.after, not_seen=["x: refused"]))
    lines = list(report.lines())
    assert lines[0].startswith(
        "Snowflake from 2026-11-23 to 2026-11-30: 2.00 credits, $6.00; 0.20 the week"
    )
    assert "cats: 2.000 credits, $6.00, 120.0 wake-ups" in lines
    assert "More than before:" in lines
    assert lines[-2:] == ["Not seen:", "  x: refused"]
    document = report.document()
    assert document["by_dataset"]["cats"]["alone"] == 120
    assert document["not_seen"] == ["x: refused"]
    assert document["more_than_before"]


def test_the_report_says_where_it_differs_from_the_estimate() -> None:
    others = [WakeUp(at=at(one), by="MIA") for one in range(3)]
    used = week(metered=2.0, wake_ups=[*woken(*[("cats",)] * 120), *others])
    report = a_report(after=used, lates={"cats": [(at(0), at(24))]})
    assert report.document()["beside_the_estimate"][1:] == [
        "25 because something was late: every check looks at it (cats 25)",
        "3 by others",
        "95 for what was on time",
    ]


def test_what_nobody_reads_is_named_with_what_it_costs() -> None:
    report = a_report(unread=["cats", "naps"])
    months = report.dataset_usd()["cats"]
    assert report.document()["what_would_save_most"][-2:] == [
        f"cats: nobody has read it in 90 days; it costs ${months:,.2f} a month",
        "naps: nobody has read it in 90 days",
    ]


def test_what_was_to_wake_nobody_and_did_is_told() -> None:
    (found,) = wake_ups(
        [(at(0), "a", "READER")],
        [(at(0), "a", query_tag("look")), (at(0.2), "b", query_tag("check", ["cats"]))],
        ours=["READER"],
        everybody=EVERYBODY,
    )
    used = week(metered=0.02, wake_ups=[found, *woken(("cats",), ("dogs",))])
    assert used.woken_by_looks == 1
    (said,) = a_report(after=used).document()["not_as_it_was_shown"]
    assert "woke it 1 time" in said
    assert a_report().document()["not_as_it_was_shown"] == []


def test_what_is_simulated_says_so() -> None:
    report = a_report(simulated=True)
    assert "(simulated)" in next(report.lines())
    assert report.document()["simulated"] is True
    (notice,) = report.notices(routes=SNS, now=MONDAY)
    assert "(simulated)" in notice.message.headline


def test_a_team_near_its_budget_is_known_by_the_mark_that_it_passed() -> None:
    left = a_report().team_usd()["left"]
    report = a_report(budgets={"left": left / 0.85, "right": 1000.0})
    assert report.teams_near_their_budget() == {"left": 0.8}
    (notice,) = report.budget_notices("left", routes=SNS, now=MONDAY)
    assert notice.team == "left"
    assert "85% of its budget" in notice.message.headline
    assert notice.message.headline.endswith(": nearly all of it")
    assert a_report(budgets={"left": left}).teams_near_their_budget() == {"left": 1.0}
