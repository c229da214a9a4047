"""Every event on the bus: its type, its example and the page are one."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from cli.events import EXAMPLES, page
from lambdas.core.events import EVENTS, BusEvent, IncidentEvent


def test_every_type_of_event_is_on_the_page_under_a_name_of_its_own() -> None:
    def below(kind: type[BusEvent]) -> set[type[BusEvent]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    assert below(BusEvent) - {BusEvent, IncidentEvent} == set(EVENTS)
    titles = re.findall(r"^## `(\S+)`$", page(), re.MULTILINE)
    assert titles == [kind.detail_type for kind in EVENTS]
    assert titles == [
        "dataset.landed",
        "dataset.loaded",
        "dataset.checked",
        "dataset.late",
        "dataset.at_risk",
        "dataset.check_failed",
        "dataset.recovered",
        "dataset.closed",
        "dataset.columns_changed",
        "pull.failed",
        "dataset.columns_observed",
    ]


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.detail_type)
def test_an_example_is_a_document_of_its_type(kind: type[BusEvent]) -> None:
    document = json.loads(json.dumps(EXAMPLES[kind].detail()))
    assert msgspec.convert(document, kind) == EXAMPLES[kind]
    assert json.dumps(document, indent=2) in page()
