from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.dataset import Dataset
from lambdas.core.errors import WarehouseError, WarehouseUnreachable
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.reports.access import Grantee, ObjectGrant
from lambdas.freshness.access_watch import A_CHECK, AccessWatch
from tests.datasets import a_dataset

NOW = datetime(2026, 11, 23, tzinfo=UTC)
EVERY = timedelta(minutes=5)
PERSONAL = {"email": {"type": "string", "personal": True}}


def a_grant(role: str) -> ObjectGrant:
    to = Grantee(kind="ROLE", name=role)
    return ObjectGrant(privilege="SELECT", on="DB.RAW.CATS", to=to)


class Memory:
    def __init__(self) -> None:
        self.grants: dict[str, Sequence[str]] = {}
        self.told: list[Notice] = []

    def remembered_grants(self) -> Mapping[str, Sequence[str]]:
        return self.grants

    def record_grants(
        self, dataset: str, grants: Sequence[str], notices: Sequence[Notice]
    ) -> None:
        self.grants[dataset] = grants
        self.told += notices


class Shown:
    def __init__(self) -> None:
        self.grants = [a_grant("READER")]
        self.asked: list[str] = []
        self.is_down = False
        self.is_silent = False
        self.most = 1_000

    def __call__(self, dataset: Dataset) -> Sequence[ObjectGrant]:
        self.asked.append(dataset.name)
        if self.is_down:
            raise WarehouseError("refused")
        if self.is_silent:
            raise WarehouseUnreachable("no answer")
        return self.grants


def a_watch(shown: Shown, memory: Memory, *datasets: Dataset) -> AccessWatch:
    return AccessWatch(
        datasets={one.name: one for one in datasets},
        shown=shown,
        memory=memory,
        routes={Recipient.ENGINEERS: ("sns",)},
        pointers=Pointers(environment="prod", runbook_url=None, repository_url=None),
        every=EVERY,
        has_time=lambda: len(shown.asked) < shown.most,
    )


def test_a_grant_on_what_is_personal_is_told_by_the_check_that_sees_it() -> None:
    shown, memory = Shown(), Memory()
    watch = a_watch(shown, memory, a_dataset(name="cats", columns=PERSONAL))
    watch.look(NOW)
    assert memory.told == []
    shown.grants.append(a_grant("CURIOUS"))
    assert len(watch.look(NOW + EVERY)) == 1
    (notice,) = memory.told
    lines = [line for block in notice.message.blocks for line in block.lines]
    assert "SELECT on RAW.CATS to role CURIOUS" in lines
    assert "email" in lines
    assert "catflap access cats --env prod" in lines
    assert not watch.look(NOW + 2 * EVERY)


def test_what_could_not_be_seen_was_not_removed() -> None:
    shown, memory = Shown(), Memory()
    watch = a_watch(shown, memory, a_dataset(name="cats", columns=PERSONAL))
    watch.look(NOW)
    shown.is_down = True
    assert not watch.look(NOW + EVERY)
    shown.is_down = False
    shown.grants.clear()
    assert len(watch.look(NOW + EVERY)) == 1
    assert memory.told[0].message.blocks[0].label == "Removed"


def test_nobody_is_asked_about_what_is_not_personal() -> None:
    shown = Shown()
    a_watch(shown, Memory(), a_dataset(name="cats")).look(NOW)
    assert shown.asked == []


def test_of_many_each_has_its_turn() -> None:
    shown, memory = Shown(), Memory()
    many = [
        a_dataset(name=f"d{number}", columns=PERSONAL) for number in range(3 * A_CHECK)
    ]
    watch = a_watch(shown, memory, *many)
    for tick in range(3):
        watch.look(NOW + tick * EVERY)
        assert len(shown.asked) == (tick + 1) * A_CHECK
    assert len(set(shown.asked)) == 3 * A_CHECK


def test_a_warehouse_that_does_not_answer_is_asked_once() -> None:
    shown = Shown()
    shown.is_silent = True
    many = [a_dataset(name=f"d{number}", columns=PERSONAL) for number in range(3)]
    with pytest.raises(WarehouseUnreachable):
        a_watch(shown, Memory(), *many).look(NOW)
    assert shown.asked == ["d0"]


def test_one_that_is_refused_hinders_no_other() -> None:
    shown = Shown()
    shown.is_down = True
    many = [a_dataset(name=f"d{number}", columns=PERSONAL) for number in range(3)]
    assert not a_watch(shown, Memory(), *many).look(NOW)
    assert shown.asked == ["d0", "d1", "d2"]


def test_a_look_ends_with_the_time_of_the_check() -> None:
    shown = Shown()
    shown.most = 2
    many = [a_dataset(name=f"d{number}", columns=PERSONAL) for number in range(3)]
    a_watch(shown, Memory(), *many).look(NOW)
    assert shown.asked == ["d0", "d1"]
