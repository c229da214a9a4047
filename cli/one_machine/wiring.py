"""Datasets and their sources, as the commands of one machine use them."""

from __future__ import annotations

from pathlib import Path

from cli.one_machine.environment_secrets import EnvironmentSecrets
from lambdas.adapters.environment import SystemClock, variables
from lambdas.adapters.sources.open import ApiSources
from lambdas.adapters.sources.rate_budget import Budgets
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import BadInput
from lambdas.core.source.fan_out import Parents
from project.model_faults import nearest
from project.yaml_files import load_catalogue

PATIENCE_S = 30 * 86_400.0
"""A person ends a command; a function ends by its time limit."""


def dataset_named(name: str, *, datasets: Path, apis: Path) -> Dataset:
    """One dataset of the catalogue; raises what `catalogue_with` raises."""
    return catalogue_with(name, datasets=datasets, apis=apis)[name]


def catalogue_with(name: str, *, datasets: Path, apis: Path) -> Catalogue:
    """The catalogue, which has a dataset of this name.

    Raises BadFiles if any file is faulty, BadInput if there is no such dataset.
    """
    catalogue = load_catalogue(datasets, apis)
    known = catalogue.datasets
    if name not in known:
        near = (
            f"the nearest is `{nearest(name, sorted(known))}`" if known else "none is"
        )
        raise BadInput(
            f"there is no dataset {name!r} in {datasets}; {near}. "
            f"There: {', '.join(sorted(known)) or 'no dataset at all'}"
        )
    return catalogue


def sources(
    clock: SystemClock,
    *,
    datasets: Path,
    parents: Parents,
    budgets: Budgets,
    ahead: bool = True,
) -> ApiSources:
    """Sources whose secrets are environment variables, and whose Python stands in
    `sources/` beside the folder of datasets; the others as ApiSources has them.
    """
    return ApiSources(
        secrets=EnvironmentSecrets(variables=variables()),
        clock=clock,
        deadline_s=clock.monotonic() + PATIENCE_S,
        ahead=ahead,
        parents=parents,
        budgets=budgets,
        root=datasets.resolve().parent,
    )
