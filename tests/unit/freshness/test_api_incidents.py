"""An API that rejects our credentials is one incident, with its datasets."""

from __future__ import annotations

from lambdas.core.errors import RunErrorKind
from lambdas.core.incidents.document import document
from lambdas.core.names import API
from tests.unit.freshness.test_check import (
    MINUTES_5,
    House,
    failed_pull,
    fresh,
    pulled,
)
from tests.watched import HOUR

NAMES = ("cats", "dogs", "owls")


def rejected(*names: str) -> House:
    house = House({name: fresh() for name in NAMES})
    house.check()
    for name in names:
        failed_pull(house, name, RunErrorKind.AUTH)
    house.check(MINUTES_5)
    return house


def to_engineers(house: House) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, who in house.told(house.sns) if who[0] == "e"]


def test_one_dataset_that_is_refused_is_its_own_incident() -> None:
    assert to_engineers(rejected("cats")) == [("cats", "opened")]


def test_engineers_hear_of_the_api_once_and_of_none_of_its_datasets() -> None:
    house = rejected("cats", "dogs")
    ((name, kind),) = to_engineers(house)
    assert (name.startswith(API), kind) == (True, "opened")
    failed_pull(house, "owls", RunErrorKind.AUTH)
    for _ in range(3):
        house.check(MINUTES_5)
    assert len(to_engineers(house)) == 1
    (incident,) = [one for one in house.state.all.values() if one.dataset == name]
    shown = document(incident, now=house.now)
    assert (shown["dataset"], shown["datasets"]) == (None, [*NAMES])
    assert (
        incident.headline == "127.0.0.1:1 rejects our credentials: 3 datasets, 0 late"
    )


def test_it_pages_once_when_they_are_late_and_those_who_wait_hear_of_each() -> None:
    house = rejected("cats", "dogs")
    for _ in range(4):
        house.check(2 * HOUR)
    (page,) = [one for one in house.pages() if one.dataset not in {"_monitor", "owls"}]
    assert page.dataset.startswith(API)
    waiting = {
        name for name, kind, who in house.told(house.sns) if who == "stakeholders"
    }
    assert waiting == {*NAMES}


def test_it_ends_when_the_last_of_them_is_pulled_and_its_end_is_told_once() -> None:
    house = rejected("cats", "dogs")
    pulled(house, "cats")
    house.check(MINUTES_5)
    assert len(to_engineers(house)) == 1
    pulled(house, "dogs")
    house.check(MINUTES_5)
    assert [kind for _, kind in to_engineers(house)] == ["opened", "resolved"]
    assert house.state.open == {}
    last = house.sns.batches[-1].message.headline
    assert last.startswith("the API at 127.0.0.1:1 is well again")
