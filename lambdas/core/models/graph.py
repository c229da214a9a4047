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
    return tuple(
        one for one in all_inputs_of(catalogue, name) if one in catalogue.datasets
    )


def all_inputs_of(catalogue: Catalogue, name: str) -> tuple[str, ...]:
    """A dataset or model itself, and all datasets and models that it is made from."""
    found: dict[str, None] = {}

    def add(one: str) -> None:
        if one in found:
            return
        if one in catalogue.datasets:
            found[one] = None
        if one in catalogue.models:
            found[one] = None
            for below in refs_of(catalogue.models[one]):
                add(below)

    add(name)
    return tuple(found)


def neighbours(
    catalogue: Catalogue, name: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a dataset or model is made from, and what is made from it: one step of each,
    by name.
    """
    above = {
        one: {dataset.source.parent.dataset}
        for one, dataset in catalogue.datasets.items()
        if dataset.source.parent is not None
    } | {one: {*refs_of(model)} for one, model in catalogue.models.items()}
    below = sorted(one for one, of in above.items() if name in of)
    return tuple(sorted(above.get(name, ()))), tuple(below)


def made_from(catalogue: Catalogue, names: Iterable[str]) -> list[SqlModel]:
    """The models that are made from any of these, in their order."""
    reached = {*names}
    found = []
    for model in in_order(catalogue.models):
        if reached.intersection(refs_of(model)):
            reached.add(model.name)
            found.append(model)
    return found
