"""A model is told of with its late input, or by itself where only it is late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lambdas.core.dataset import Freshness, Period, SqlModel
from lambdas.core.incidents.incident import in_plain_words
from lambdas.core.incidents.message import as_mail
from tests.unit.freshness.test_check import MINUTES_5, House, fresh
from tests.watched import HOUR, FakeTable

PROMISED = Freshness(error_after=Period(count=2, period="hour"))


def a_house(*, cats: FakeTable, dogs: FakeTable, promise: Freshness) -> House:
    house = House({"cats": cats, "dogs": dogs})
    select = "select 1 from {{ ref('cats') }} join {{ ref('dogs') }}"
    house.models = [SqlModel(name="pets", sql=select, freshness=promise)]
    return house


def mail_of(house: House) -> str:
    batch = house.sns.batches[0]
    notice = next(one for one in batch.notices if one.audience == "engineers")
    return "\n".join(as_mail(notice.message))


def test_a_model_that_alone_is_late_is_told_once_by_its_own_name_and_its_end() -> None:
    house = a_house(cats=fresh(HOUR / 2), dogs=fresh(HOUR), promise=PROMISED)
    house.check()
    assert house.told(house.sns) == []
    house.age("cats", timedelta())
    told_after = next(
        minutes for minutes in range(5, 120, 5) if house.check(MINUTES_5).notices
    )
    assert told_after == 60 + 5  # two hours old is what was promised
    told = [("pets", "opened", "engineers"), ("pets", "opened", "stakeholders")]
    assert sorted(house.told(house.sns)) == told
    assert house.told(house.bus) == [("pets", "opened", "systems")]
    assert len(house.pages()) == 1
    said = mail_of(house)
    assert "its input dogs has nothing newer" in said
    assert "pull dogs more often" in said
    assert "docs/models.md" in said
    assert [house.check(MINUTES_5).notices for _ in range(3)] == [0, 0, 0]
    house.age("dogs", timedelta())
    house.check(MINUTES_5)
    assert sorted(house.told(house.sns))[2:] == [
        ("pets", "resolved", "engineers"),
        ("pets", "resolved", "stakeholders"),
    ]
    assert house.check(MINUTES_5).statements == 0
    loaded = {str(detail["dataset"]) for _, detail in house.events.published}
    assert loaded <= {"cats", "dogs"}  # a model is no load


@pytest.mark.parametrize("promise", [PROMISED, Freshness()])
def test_a_late_input_names_its_models_which_open_nothing(promise: Freshness) -> None:
    house = a_house(cats=fresh(), dogs=fresh(7 * HOUR), promise=promise)
    house.check()
    house.check(MINUTES_5)
    assert {name for name, *_ in house.told(house.sns)} == {"dogs"}
    (incident,) = house.state.all.values()
    assert incident.dependents == ("pets",)
    assert "Late with it" in mail_of(house)


def test_what_was_late_by_itself_is_told_with_its_input_from_then_on() -> None:
    house = a_house(cats=fresh(), dogs=fresh(2.5 * HOUR), promise=PROMISED)
    house.check()
    assert {name for name, *_ in house.told(house.sns)} == {"pets"}
    count = len(house.told(house.sns))
    for _ in range(7):
        house.check(MINUTES_5)
    assert {name for name, *_ in house.told(house.sns)[count:]} == {"dogs"}
    house.age("dogs", timedelta())
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    assert house.state.open == {}


def test_an_input_without_rows_says_nothing_of_a_model_and_wakes_nobody() -> None:
    house = a_house(cats=fresh(), dogs=FakeTable(None, None), promise=PROMISED)
    house.datasets[1] = house.datasets[1].model_copy(update={"freshness": Freshness()})
    house.check()
    assert "pets" not in house.state.seen
    assert house.check(MINUTES_5).statements == 0


def test_an_incident_of_a_model_ends_with_its_promise() -> None:
    house = a_house(cats=fresh(), dogs=fresh(2.5 * HOUR), promise=PROMISED)
    house.check()
    house.models = [house.models[0].model_copy(update={"freshness": Freshness()})]
    house.check(MINUTES_5)
    (incident,) = house.state.all.values()
    assert incident.ended_by == "not_promised"
    assert "pets" not in house.state.seen


def test_a_model_that_is_gone_ends_its_incident() -> None:
    house = a_house(cats=fresh(), dogs=fresh(2.5 * HOUR), promise=PROMISED)
    house.check()
    house.models = []
    house.check(MINUTES_5)
    (incident,) = house.state.all.values()
    assert incident.ended_by == "removed"


def test_people_who_use_a_model_read_why_in_their_words() -> None:
    assert "updated less often" in in_plain_words("input_too_old")
