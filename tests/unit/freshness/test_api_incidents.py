"""An API that rejects our credentials is one incident, with its datasets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdas.core.errors import RunErrorKind
from lambdas.core.incidents.document import document
from lambdas.core.incidents.incident import Incident
from lambdas.core.names import API
from lambdas.core.silences.silence import Silence
from lambdas.freshness import api_incidents
from tests.datasets import a_dataset
from tests.unit.freshness.test_check import (
    MINUTES_5,
    PROMISE,
    House,
    failed_pull,
    fresh,
    pulled,
)
from tests.watched import HOUR, MemoryIncidents

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


def test_an_incident_names_so_many_datasets_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_incidents, "DATASETS_NAMED", 2)
    house = rejected(*NAMES)
    ((name, _),) = to_engineers(house)
    (incident,) = [one for one in house.state.all.values() if one.dataset == name]
    assert incident.datasets == ("cats", "dogs")
    assert "3 datasets" in incident.headline
    house.check(MINUTES_5)
    assert len(to_engineers(house)) == 1


class NoApiIncidents(MemoryIncidents):
    def record(self, before: Incident | None, after: Incident, **rest: Any) -> None:
        if after.dataset.startswith(API):
            raise ValueError("item size has exceeded the maximum allowed size")
        super().record(before, after, **rest)


def test_an_incident_that_cannot_be_kept_silences_none_of_its_datasets(
    faults: Callable[[], list[str]],
) -> None:
    house = House({name: fresh() for name in NAMES})
    house.state = NoApiIncidents(house.faults)
    house.check()
    for name in ("cats", "dogs"):
        failed_pull(house, name, RunErrorKind.AUTH)
    house.check(MINUTES_5)
    assert to_engineers(house) == [("cats", "opened"), ("dogs", "opened")]
    (fault,) = faults()
    assert fault.endswith(
        ": could not keep its incident; reporting its datasets one by one"
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


def of_two_teams() -> House:
    house = House({name: fresh() for name in NAMES})
    owners = {"cats": "air", "dogs": "air", "owls": "sea"}
    house.datasets = [
        a_dataset(
            name=name,
            freshness=PROMISE,
            owner={"team": team, "slack": f"#{team}-eng", "mention": f"@{team}-oncall"},
        )
        for name, team in owners.items()
    ]
    house.check()
    return house


def test_each_owner_hears_of_the_api_in_its_own_channel_with_its_own_datasets() -> None:
    house = of_two_teams()
    house.datasets.append(
        a_dataset(
            name="eels", freshness=PROMISE, owner={"team": "sea", "slack": "#sea-eng"}
        )
    )
    house.warehouse.tables["eels"] = fresh()
    house.check()
    for name in ("cats", "dogs", "owls", "eels"):
        failed_pull(house, name, RunErrorKind.AUTH)
    house.check(MINUTES_5)
    told = {
        one.address: one
        for batch in house.slack.batches
        for one in batch.notices
        if one.dataset.startswith(API)
    }
    assert set(told) == {"#air-eng", "#sea-eng"}
    for address, mine, theirs in (
        ("#air-eng", ("cats", "dogs", "air"), ("owls", "eels", "sea")),
        ("#sea-eng", ("owls", "eels", "sea"), ("cats", "dogs", "air")),
    ):
        said = str(told[address].message)
        assert all(word in said for word in mine)
        assert not any(word in said for word in theirs)
    (together,) = [
        one.message for one in house.sns.batches if one.first.dataset.startswith(API)
    ]
    assert together.headline.endswith("2 datasets, 0 late (one of 2 owners)")


def test_an_owner_with_one_dataset_hears_of_that() -> None:
    house = of_two_teams()
    for name in NAMES:
        failed_pull(house, name, RunErrorKind.AUTH)
    house.check(MINUTES_5)
    told = [name for name, _ in to_engineers(house)]
    assert sorted(name[:5] for name in told) == [API, "owls"]


def test_a_silence_of_all_its_datasets_silences_it_and_ends() -> None:
    house = of_two_teams()
    until = house.now + 2 * HOUR
    held = Silence(
        silence_id="s1",
        by="mia",
        why="their restart",
        starts_at=house.now,
        until=until,
        ends_at=until,
        api="127.0.0.1:1",
    )
    house.state.silences = [held]
    for name in NAMES:
        failed_pull(house, name, RunErrorKind.AUTH)
    house.check(MINUTES_5)
    assert to_engineers(house) == []
    house.check(2 * HOUR)
    told = {name[:5] for name, _ in to_engineers(house)}
    assert told - {"_moni"} == {API, "owls"}
