from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from lambdas.core.dataset import Catalogue, Dataset, Freshness, Period, SqlModel
from lambdas.core.freshness.attainment import Day, Late
from lambdas.core.incidents.incident import HumanSide, Incident, in_plain_words
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.quality.result import CheckedLoad
from lambdas.core.reports.page.facts import PageFacts, in_full
from lambdas.core.reports.page.page_row import PageRow
from lambdas.core.reports.page.row_state import RowState
from lambdas.core.reports.page.status_page import StatusPage, status_page
from lambdas.core.silences.silence import Silence
from tests.datasets import a_dataset
from tests.pages import NOW, a_tally, a_watch, an_incident, named, some_facts

CATS = a_dataset()


def the_row(page: StatusPage) -> PageRow:
    (row,) = page.rows
    return row


def late(dataset: Dataset = CATS, **changes: object) -> StatusPage:
    return status_page(
        some_facts(
            [dataset],
            watches={"cats": a_watch("cats", is_late=True)},
            incidents={"cats": an_incident("cats", **changes)},
        )
    )


def test_all_on_time_is_said_in_one_sentence() -> None:
    page = status_page(some_facts(named(3)))
    assert page.headline == "Everything is on time"
    assert page.counts == {RowState.ON_TIME: 3}


def test_what_is_late_is_first_with_since_when_why_and_when_expected() -> None:
    eta = NOW + timedelta(hours=1)
    page = late(eta=eta)
    row = the_row(page)
    assert page.headline == "cats is late"
    assert (row.since, row.expected_at) == (NOW - timedelta(hours=2), eta)
    assert row.why == (
        "The source has published nothing new; we have all that there is."
    )


def test_a_time_that_passed_is_no_expectation() -> None:
    assert the_row(late(eta=NOW - timedelta(hours=1))).expected_at is None


def test_a_persons_promise_is_told_as_one() -> None:
    promised = HumanSide(promised_for=NOW + timedelta(hours=3), promised_by="Ann")
    row = the_row(late(human=promised))
    assert row.promised
    assert row.expected_at == NOW + timedelta(hours=3)


def test_what_is_on_time_is_next_expected_by_its_schedule() -> None:
    row = the_row(status_page(some_facts([CATS])))
    assert row.expected_at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize("minutes", [None, 16])
def test_when_checks_have_stopped_nothing_is_on_time(minutes: int | None) -> None:
    at = None if minutes is None else NOW - timedelta(minutes=minutes)
    page = status_page(some_facts([CATS], last_check_at=at))
    assert page.checks_stopped
    assert page.headline == "Not known: checks have stopped"
    assert the_row(page).state is RowState.UNKNOWN


def test_nothing_is_on_time_beside_an_open_incident() -> None:
    passing = a_watch("cats", incident_id="cats-1", at_risk=True)
    at_risk = an_incident("cats", state="pass", kind="at_risk", late_since=None)
    incidents: dict[str, Incident]
    for incidents in ({}, {"cats": at_risk}):
        facts = some_facts([CATS], watches={"cats": passing}, incidents=incidents)
        assert the_row(status_page(facts)).state is RowState.AT_RISK


def test_what_was_muted_by_quiet_time_stays_late() -> None:
    passing = a_watch("cats", incident_id="cats-1")
    facts = some_facts(
        [CATS], watches={"cats": passing}, incidents={"cats": an_incident("cats")}
    )
    assert the_row(status_page(facts)).state is RowState.ERROR


def test_a_paused_dataset_promises_nothing_and_says_why() -> None:
    paused = a_dataset(schedule={"cron": "5 * * * ? *", "paused": "moving house"})
    row = the_row(status_page(some_facts([paused])))
    assert (row.state, row.why) == (RowState.NO_PROMISE, "Paused: moving house")
    assert row.expected_at is None


def test_what_no_check_has_seen_is_not_known() -> None:
    facts = some_facts([CATS])
    unseen = dataclasses.replace(
        facts, state=dataclasses.replace(facts.state, watches={})
    )
    page = status_page(unseen)
    assert the_row(page).why == "It has not been checked yet."
    assert page.headline == "1 of 1 datasets: not known whether on time"


def test_causes_are_ranked_by_how_long_they_held_things_up() -> None:
    def over(cause: str, days: int, minutes: int) -> Late:
        return Late(
            incident_id="x",
            at=NOW - timedelta(days=days),
            seconds=60 * minutes,
            cause=cause,
        )

    lates = (over("pipe_stopped", 3, 90), over("upstream_quiet", 4, 30))
    old = over("upstream_quiet", 31, 900)
    tally = dataclasses.replace(a_tally(), lates=(*lates, old))
    facts = some_facts([CATS], watches={"cats": a_watch("cats", tally=tally)})
    found = [(one.code, one.minutes) for one in status_page(facts).causes]
    assert found == [("pipe_stopped", 90), ("upstream_quiet", 30)]


def test_the_page_says_up_to_when_it_shows_and_what_a_breaker_may_delay() -> None:
    load = CheckedLoad(
        dataset="cats",
        checked_at=NOW,
        run_id=None,
        loaded_at=None,
        rules="",
        waiting=("run",),
        shown_until=NOW - timedelta(hours=2),
    )
    hold = {"hold_at_most": {"count": 2, "period": "hour"}}
    facts = some_facts([a_dataset(name="cats", circuit_breaker=hold)])
    row = the_row(status_page(dataclasses.replace(facts, loads={"cats": load})))
    shown = f"{NOW - timedelta(hours=2):%Y-%m-%d %H:%M} UTC"
    assert row.remarks == (
        f"It shows data up to {shown}; what came later waits for its checks.",
    )
    assert row.promise.endswith("where those cannot run, up to 2 h later")


def a_model(name: str, *inputs: str, **more: object) -> SqlModel:
    sql = "select 1 from " + ", ".join(f"{{{{ ref('{one}') }}}}" for one in inputs)
    return SqlModel(name=name, sql=sql, **more)  # type: ignore[arg-type]  # by name


def with_models(facts: PageFacts, *models: SqlModel) -> PageFacts:
    catalogue = Catalogue(
        datasets=facts.catalogue.datasets, models={one.name: one for one in models}
    )
    days = dict.fromkeys(in_full(catalogue, facts.state), ())
    return dataclasses.replace(facts, catalogue=catalogue, days=days)


def rows_of(facts: PageFacts) -> dict[str, PageRow]:
    return {row.name: row for row in status_page(facts).rows}


HOUR = Freshness(error_after=Period(count=1, period="hour"))


def test_a_model_has_a_row_and_is_late_with_its_input_or_by_itself() -> None:
    models = a_model("quick", "cats", freshness=HOUR), a_model("slow", "cats")
    old = NOW - timedelta(hours=2)
    watch = dataclasses.replace(a_watch("cats"), newest_at=old)
    facts = with_models(some_facts([CATS], watches={"cats": watch}), *models)
    rows = rows_of(facts)
    assert rows["quick"].state is RowState.ERROR
    assert rows["quick"].why == in_plain_words("input_too_old")
    assert rows["quick"].late_with is None
    assert (rows["slow"].state, rows["slow"].newest_at) == (RowState.ON_TIME, old)

    late = some_facts([CATS], watches={"cats": a_watch("cats", is_late=True)})
    rows = rows_of(with_models(late, *models))
    assert rows["slow"].is_late
    assert rows["slow"].why == "Late with what it is made from: cats."


def three_made_from_cats(*extra: str) -> PageFacts:
    """Their names come before and after it by alphabet; `zebras` are late as well."""
    datasets = [CATS, a_dataset(name="dogs"), a_dataset(name="zebras")]
    names = ["cats", *extra]
    facts = some_facts(
        datasets,
        watches={name: a_watch(name, is_late=True) for name in names},
        incidents={name: an_incident(name) for name in names},
    )
    return with_models(
        facts,
        a_model("adopted", "cats"),
        a_model("both", "dogs", "cats"),
        a_model("meals", "adopted"),
    )


def test_what_is_late_is_named_before_what_is_made_from_it() -> None:
    page = status_page(three_made_from_cats())
    assert page.headline == "cats is late, and 3 made from it"
    assert [row.name for row in page.late] == ["cats", "adopted", "both", "meals"]
    assert [row.name for row in page.roots] == ["cats"]
    assert page.rows[0].made_late == ("adopted", "both", "meals")
    page = status_page(three_made_from_cats("zebras"))
    assert page.headline == "cats and zebras are late, and 3 made from them"
    assert [row.name for row in page.late][-1] == "zebras"


def test_what_is_late_with_another_waits_for_it() -> None:
    facts = three_made_from_cats()
    eta = NOW + timedelta(hours=1)
    told = an_incident("cats", human=HumanSide(promised_for=eta))
    for incident, expected in ((an_incident("cats"), None), (told, eta)):
        rows = rows_of(dataclasses.replace(facts, incidents={"cats": incident}))
        assert rows["meals"].since == rows["cats"].since
        assert rows["meals"].expected_at == expected
        assert rows["meals"].promised is (expected is not None)


def test_a_model_is_next_expected_with_the_input_that_holds_it_back() -> None:
    hourly = a_dataset(name="hourly", schedule={"cron": "5 * * * ? *"})
    daily = a_dataset(name="daily", schedule={"cron": "0 6 * * ? *"})
    for oldest, expected in (
        ("hourly", NOW + timedelta(minutes=5)),
        ("daily", NOW + timedelta(hours=18)),
    ):
        old = a_watch(oldest, newest_at=NOW - timedelta(hours=3))
        facts = some_facts([hourly, daily], watches={oldest: old})
        model = a_model("both", "hourly", "daily")
        slow = a_model(
            "slow", "both", materialized="dynamic_table", target_lag="1 hour"
        )
        rows = rows_of(with_models(facts, model, slow))
        assert rows["both"].expected_at == expected
        assert rows["slow"].expected_at == expected + timedelta(hours=1)


def test_a_models_days_are_those_on_which_an_input_was_late() -> None:
    def late_on(day: str, warn_s: float, error_s: float) -> Day:
        return Day(day=day, warn_s=warn_s, error_s=error_s)

    cats = a_tally(late_on("2026-11-20", 600, 0), late_on("2026-11-22", 60, 600))
    dogs = a_tally(late_on("2026-11-20", 900, 0))
    facts = some_facts(
        [CATS, a_dataset(name="dogs")],
        watches={
            "cats": a_watch("cats", tally=cats),
            "dogs": a_watch("dogs", tally=dogs),
        },
    )
    row = rows_of(with_models(facts, a_model("both", "cats", "dogs")))["both"]
    assert row.strip == "k" * 21 + "w" + "k" + "e" + "k" * 6
    assert row.details is not None
    assert [(one.day, one.out_s) for one in row.details.bad] == [
        ("2026-11-20", 900),
        ("2026-11-22", 660),
    ]
    assert row.month is not None
    assert row.month.warn_s + row.month.error_s == 900 + 660
    assert row.details.made_from == ("cats", "dogs")


def test_the_days_of_a_model_are_not_known_before_all_its_inputs_were_seen() -> None:
    unseen = a_watch("dogs", tally=None)
    facts = some_facts([CATS, a_dataset(name="dogs")], watches={"dogs": unseen})
    row = rows_of(with_models(facts, a_model("both", "cats", "dogs")))["both"]
    assert (row.strip, row.month) == ("-" * 30, None)


def test_a_model_is_no_better_than_what_people_are_told_of_its_inputs() -> None:
    """One that quiet time mutes stays late, and so does what is made from it."""
    passing = a_watch("cats", incident_id="cats-1")
    for incident, expected in (
        (an_incident("cats"), RowState.ERROR),
        (an_incident("cats", state="pass", kind="at_risk"), RowState.AT_RISK),
    ):
        facts = some_facts(
            [CATS], watches={"cats": passing}, incidents={"cats": incident}
        )
        rows = rows_of(with_models(facts, a_model("meals", "cats")))
        assert rows["cats"].state is expected
        assert rows["meals"].state is expected


def test_what_fails_a_check_is_not_simply_on_time() -> None:
    load = CheckedLoad(
        dataset="cats",
        checked_at=NOW,
        run_id=None,
        loaded_at=None,
        rules="",
        failing=("a",),
    )
    facts = dataclasses.replace(some_facts([CATS]), loads={"cats": load})
    page = status_page(facts)
    row = the_row(page)
    assert (row.state, row.why) == (RowState.AT_RISK, None)
    assert row.remarks == ("A check of the data fails.",)
    assert page.headline == "Everything is on time, 1 at risk"


def test_people_hear_of_failing_checks_of_held_rows_and_of_silences() -> None:
    load = CheckedLoad(
        dataset="cats",
        checked_at=NOW,
        run_id=None,
        loaded_at=None,
        rules="",
        failing=("a", "b"),
        held=("run",),
    )
    silence = Silence(
        silence_id="1",
        by="ann",
        why="moving\u202e house",
        starts_at=NOW - timedelta(hours=1),
        until=NOW + timedelta(hours=1),
        ends_at=NOW + timedelta(hours=1),
        team="data-eng",
    )
    facts = some_facts([CATS])
    facts = dataclasses.replace(
        facts,
        loads={"cats": load},
        state=dataclasses.replace(facts.state, silences=(silence,)),
    )
    assert the_row(status_page(facts)).remarks == (
        "2 checks of the data fail.",
        "It shows the last good data; what came later is being checked.",
        "Alerts are silenced until 2026-11-28 13:00 UTC: moving\ufffd house",
    )


def test_an_incident_links_to_its_runbook_where_the_environment_has_one() -> None:
    facts = some_facts(
        [CATS],
        watches={"cats": a_watch("cats", is_late=True)},
        incidents={"cats": an_incident("cats")},
    )
    wiki = Pointers(environment="prod", runbook_url="https://wiki.example.com/{cause}")
    for pointers, link in (
        (Pointers(), None),
        (wiki, "https://wiki.example.com/upstream_quiet"),
    ):
        row = the_row(status_page(dataclasses.replace(facts, pointers=pointers)))
        assert row.details is not None
        assert row.details.incident is not None
        assert row.details.incident.runbook == link
