"""The rules of a fan-out that types cannot say: what a child may ask, and of whom."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lambdas.core.dataset import Dataset
from lambdas.core.records.json_path import steps
from lambdas.core.rules.findings import Finding, Location
from lambdas.core.source.request import placeholders_in

AT: Location = ("source", "parent")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parent_findings(dataset: Dataset) -> Iterator[Finding]:
    """What is wrong with a fan-out, as far as the child alone shows it."""
    parent, endpoint = dataset.source.parent, dataset.source.endpoint
    if parent is None:
        return
    if dataset.source.python is not None:
        yield Finding(
            key=AT,
            sentence="is for an endpoint, and the source is `python`; accepted: an "
            "endpoint, or no parent",
            because=(("source", "python"),),
        )
    for name, path in parent.fields.items():
        if _NAME.fullmatch(name) is None:
            yield Finding(
                key=(*AT, "fields", name),
                sentence="cannot stand in {parent.…}; accepted: a letter, then "
                "letters, digits and _",
            )
        if None in steps(path):
            yield Finding(
                key=(*AT, "fields", name),
                sentence="a wildcard finds many values in a row, and one is asked for; "
                "accepted: a path to one value, such as `data.id`",
            )
    if endpoint is None:
        return
    if not any(one.startswith("parent.") for one in placeholders_in(endpoint)):
        first = next(iter(parent.fields), "name")
        yield Finding(
            key=AT,
            sentence="no request says which row it is for; accepted: "
            f"{{parent.{first}}} in the endpoint's path, params, headers or json",
            because=(("source", "endpoint"),),
        )
    if endpoint.incremental is not None:
        # dlt#2429: one cursor over many parents
        yield Finding(
            key=("source", "endpoint", "incremental"),
            sentence="one cursor cannot stand for many parents: what a new parent row "
            "has behind it would never be asked for; accepted: no incremental, since "
            "a child asks only for rows of its parent that are new",
            because=(AT,),
        )


def family_findings(datasets: Mapping[str, Dataset]) -> dict[str, list[Finding]]:
    """What is wrong between children and their parents, by the child's name."""
    return {
        name: found
        for name, dataset in datasets.items()
        if (found := list(_family_findings(dataset, datasets)))
    }


def _family_findings(
    dataset: Dataset, datasets: Mapping[str, Dataset]
) -> Iterator[Finding]:
    source = dataset.source.parent
    parent = datasets.get(source.dataset) if source is not None else None
    if parent is None or parent.name == dataset.name:
        return
    way = ancestors(dataset, datasets)
    if dataset.name in way:
        circle = " -> ".join([dataset.name, *way])
        yield Finding(
            key=(*AT, "dataset"),
            sentence=f"the parents go in a circle: {circle}; accepted: a dataset whose "
            "own parents do not lead back here",
        )
    if dataset.write_disposition == "replace" and parent.write_disposition != "replace":
        yield Finding(
            key=("write_disposition",),
            sentence="`replace` shows what one pull brought, and a child asks only for "
            f"what is new in `{parent.name}`, which is {parent.write_disposition}; "
            "accepted: merge with a primary_key, append, or a parent that is replaced",
            because=(AT,),
        )


def ancestors(dataset: Dataset, datasets: Mapping[str, Dataset]) -> list[str]:
    """Parent, grandparent and so on, until one comes again."""
    way: list[str] = []
    at: Dataset | None = dataset
    while at is not None and at.source.parent is not None:
        name = at.source.parent.dataset
        is_known = name in way
        way.append(name)
        if is_known or name == dataset.name:
            break
        at = datasets.get(name)
    return way
