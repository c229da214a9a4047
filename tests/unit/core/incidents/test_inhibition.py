from __future__ import annotations

import dataclasses
from datetime import timedelta

from lambdas.core.dataset import Catalogue
from lambdas.core.incidents.incident import (
    Incident,
    NoticeKind,
    Recipient,
    Transition,
    advance,
)
from lambdas.core.incidents.inhibition import (
    Inhibition,
    inhibition,
    lineage,
    with_models,
)
from tests.datasets import a_dataset, incremental
from tests.watched import NOW, a_verdict

MADE_FROM = {
    "orders": frozenset({"shops"}),
    "items": frozenset({"orders"}),
    "rates": frozenset({"shops"}),
}
LATER = NOW + timedelta(minutes=5)


def people(transition: Transition) -> list[tuple[str, str, bool]]:
    return sorted(
        (item.audience.value, item.kind.value, item.page)
        for item in transition.announcements
        if item.audience is not Recipient.SYSTEMS
    )


def test_a_chain_of_late_ones_is_told_of_at_its_beginning() -> None:
    found = inhibition(MADE_FROM, ["items", "rates", "shops", "orders"])
    assert found == Inhibition(
        by={"items": "shops", "rates": "shops", "orders": "shops"},
        of={"shops": ("items", "rates", "orders")},
    )


def test_a_parent_that_is_well_inhibits_nobody() -> None:
    assert inhibition(MADE_FROM, ["items", "shops"]).by == {}
    assert inhibition(MADE_FROM, ["items", "orders"]).by == {"items": "orders"}
    assert inhibition({}, ["items", "orders"]).by == {}


def test_who_is_told_elsewhere_hears_of_the_child_itself() -> None:
    made_from = {"kittens": frozenset({"cats"}), "pups": frozenset({"cats"})}
    told_at = {"cats": "#cats", "kittens": "#kittens", "pups": "#cats"}
    found = inhibition(made_from, ["cats", "kittens", "pups"], told_at=told_at)
    assert (found.by, found.beside) == ({"pups": "cats"}, {"kittens": "cats"})
    assert found.of == {"cats": ("pups",)}


def test_a_circle_inhibits_nobody_for_ever() -> None:
    circle = {"a": frozenset({"b"}), "b": frozenset({"a"})}
    assert inhibition(circle, ["a", "b"]).by == {}
    assert inhibition({"a": frozenset({"a"})}, ["a"]).by == {}


def test_a_fan_out_is_made_from_its_parent() -> None:
    parent = {"dataset": "shops", "fields": {"shop": "id"}}
    child = a_dataset(name="orders", source={**incremental(), "parent": parent})
    catalogue = Catalogue(datasets={"shops": a_dataset(name="shops"), "orders": child})
    assert lineage(catalogue) == {"orders": frozenset({"shops"})}


def opened(*, by: str | None = None) -> Incident:
    incident = advance(None, a_verdict(), now=NOW, inhibited_by=by).incident
    assert incident is not None
    return incident


def test_an_inhibited_incident_is_kept_and_people_do_not_hear_of_it() -> None:
    first = advance(None, a_verdict(), now=NOW, inhibited_by="shops")
    assert people(first) == []
    assert [item.audience for item in first.announcements] == [Recipient.SYSTEMS]
    incident = opened(by="shops")
    assert (incident.inhibited_by, incident.told, incident.page) == ("shops", (), False)
    again = advance(incident, a_verdict(), now=LATER, inhibited_by="shops")
    assert again.incident is incident
    worse = advance(
        incident, a_verdict(cause="load_failed"), now=LATER, inhibited_by="shops"
    )
    assert people(worse) == []


def test_a_child_that_stays_late_when_its_parent_is_well_is_told_of_itself() -> None:
    own = advance(opened(by="shops"), a_verdict(), now=LATER)
    assert people(own) == [
        ("engineers", "opened", True),
        ("stakeholders", "opened", False),
    ]
    assert own.incident is not None
    assert own.incident.inhibited_by is None
    after = advance(own.incident, a_verdict(), now=LATER)
    assert after.incident is own.incident


def test_a_child_that_recovers_unheard_is_resolved_unheard() -> None:
    well = advance(opened(by="shops"), a_verdict("pass", None), now=LATER)
    assert people(well) == []
    assert well.incident is not None
    assert well.incident.resolved_at == LATER


def test_a_child_that_people_know_of_is_silent_while_its_parent_is_late() -> None:
    known = opened()
    silent = advance(
        known, a_verdict(cause="load_failed"), now=LATER, inhibited_by="shops"
    )
    assert people(silent) == []
    assert silent.incident is not None
    assert silent.incident.told == known.told
    over = advance(silent.incident, a_verdict("pass", None), now=LATER)
    assert {kind for _, kind, _ in people(over)} == {"resolved"}


def test_one_more_that_is_late_with_it_is_news_that_wakes_nobody() -> None:
    parent = advance(None, a_verdict(), now=NOW, dependents=("orders",))
    assert parent.incident is not None
    assert parent.incident.dependents == ("orders",)
    same = advance(parent.incident, a_verdict(), now=LATER, dependents=("orders",))
    assert same.incident is parent.incident
    more = advance(
        parent.incident, a_verdict(), now=LATER, dependents=("items", "orders")
    )
    assert people(more) == [
        ("engineers", "changed", False),
        ("stakeholders", "changed", False),
    ]
    assert more.incident is not None
    fewer = advance(more.incident, a_verdict(), now=LATER, dependents=("items",))
    assert people(fewer) == []
    assert fewer.incident is not None
    assert fewer.incident.dependents == ("items",)
    assert NoticeKind.CHANGED in {item.kind for item in more.announcements}


def test_versions_go_up_by_one_with_each_change() -> None:
    first = opened()
    second = advance(first, a_verdict(), now=LATER, inhibited_by="shops").incident
    assert second is not None
    third = advance(second, a_verdict(), now=LATER).incident
    assert third is not None
    assert [one.version for one in (first, second, third)] == [1, 2, 3]
    assert dataclasses.replace(third, version=1).dataset == "cats"


def test_models_are_late_with_what_they_are_made_from_each_once_by_name() -> None:
    made_from = {
        "revenue": frozenset({"orders"}),
        "basket": frozenset({"orders", "items"}),
        "weather_days": frozenset({"weather"}),
    }
    models = ["weather_days", "revenue", "basket"]
    assert with_models(made_from, ["orders"], models) == ["orders", "basket", "revenue"]
    known = ["revenue", "orders"]
    assert with_models(made_from, known, models) == ["revenue", "orders", "basket"]
    assert with_models(made_from, [], models) == []
