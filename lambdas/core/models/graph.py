"""What each model is made from, and in which order they are made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from lambdas.core.dataset import Catalogue, SqlModel

REF = re.compile(
    r"\{\{\s*ref\(\s*(?P<quote>['\"])(?P<name>[^'\"]*)(?P=quote)\s*\)\s*\}\}"
)
"""`{{ ref('flights') }}`: a dataset or a model, as dbt writes it."""


def refs_of(model: SqlModel) -> tuple[str, ...]:
    """The names in a model's SELECT, each once, in their order."""
    return tuple(dict.fromkeys(match["name"] for match in REF.finditer(model.sql)))


def in_order(models: Mapping[str, SqlModel]) -> list[SqlModel]:
    """The models, each after those it is made from. Raises CycleError."""
    made_from = {
        name: [one for one in refs_of(model) if one in models]
        for name, model in sorted(models.items())
    }
    return [models[name] for name in TopologicalSorter(made_from).static_order()]


def circle_of(models: Mapping[str, SqlModel]) -> list[str]:
    """The names of a circle, its first one at the end again; none, if there is none."""
    try:
        in_order(models)
    except CycleError as error:
        # it names each with what is made from it
        return [*reversed(error.args[1])]
    return []


def inputs_of(catalogue: Catalogue, name: str) -> tuple[str, ...]:
    """The datasets that a model is made from, by way of other models too."""
    found: dict[str, None] = {}
    seen: set[str] = set()

    def add(one: str) -> None:
        if one in catalogue.datasets:
            found[one] = None
        if one not in catalogue.models or one in seen:
            return
        seen.add(one)
        for below in refs_of(catalogue.models[one]):
            add(below)

    add(name)
    return tuple(found)


def made_from(catalogue: Catalogue, names: Iterable[str]) -> list[SqlModel]:
    """The models that are made from any of these, in their order."""
    reached = {*names}
    found = []
    for model in in_order(catalogue.models):
        if reached.intersection(refs_of(model)):
            reached.add(model.name)
            found.append(model)
    return found
