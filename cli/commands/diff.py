"""Say in words what a deploy would change: datasets, their tables, resources.

Compares the YAML with what is deployed; changes nothing. What would replace or
remove something that holds data comes first. Making the templates takes some seconds.

Example: catflap diff --env prod
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from cli import options
from cli.changes.datasets import DatasetChange, dataset_changes
from cli.changes.templates import ResourceChange, in_order, resource_changes
from cli.deployed.environment import Deployed, deployed
from cli.deployed.local import LOCAL
from lambdas.core.dataset import Catalogue
from lambdas.core.text.count import counted
from project.yaml_files import load_catalogue

DONE = 0
_BY_DATASET = ("Custom::CatflapCatalogue", "Custom::CatflapObjects")
"""Follow from the datasets, which are told already."""


def run(
    *,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    models: options.Models = None,
    as_json: options.Json = False,
) -> int:
    """Print each change. Raises BadInput, BadFiles, NotReached."""
    from cli.deployed.published import published_catalogue  # noqa: PLC0415 - boto3: half a second that --help need not take

    catalogue = load_catalogue(datasets, apis, options.models_of(datasets, models))
    reached = deployed(environment, environments=environments)
    with reached.reached():
        before = published_catalogue(reached)
    is_deployed = before is not None
    changes = dataset_changes(
        before or Catalogue(datasets={}),
        catalogue,
        database=reached.environment.snowflake.database,
    )
    resources: list[ResourceChange] = []
    # An embedded stack keeps no template that could be asked for.
    if environment != LOCAL:
        resources = _resources(reached, catalogue)
    if as_json:
        document = _document(environment, changes, resources, is_deployed=is_deployed)
        print(json.dumps(document))
    else:
        lines = _lines(environment, changes, resources, is_deployed=is_deployed)
        print("\n".join(lines))
    return DONE


def _resources(reached: Deployed, catalogue: Catalogue) -> list[ResourceChange]:
    """What becomes of each resource, by the templates of then and now."""
    from cli.changes.synthesis import synthesized  # noqa: PLC0415 - the CDK: two seconds
    from cli.deployed.published import deployed_templates  # noqa: PLC0415 - boto3

    made = synthesized(reached.environment, catalogue)
    with reached.reached():
        stand: Mapping[str, Any] = deployed_templates(reached)
    empty: Mapping[str, Any] = {}
    return in_order(
        [
            change
            for stack in sorted({*made, *stand})
            for change in resource_changes(
                stack, stand.get(stack), made.get(stack, empty)
            )
        ]
    )


def _document(
    environment: str,
    datasets: list[DatasetChange],
    resources: list[ResourceChange],
    *,
    is_deployed: bool,
) -> Mapping[str, object]:
    return {
        "environment": environment,
        "deployed": is_deployed,
        "datasets": [
            {**dataclasses.asdict(one), "sentence": one.sentence} for one in datasets
        ],
        "resources": [
            {
                **dataclasses.asdict(one),
                "loses_data": one.loses_data,
                "sentence": one.sentence,
            }
            for one in resources
        ],
    }


def _lines(
    environment: str,
    datasets: list[DatasetChange],
    resources: list[ResourceChange],
    *,
    is_deployed: bool,
) -> Iterator[str]:
    if not is_deployed:
        yield f"no datasets are published in {environment} yet: a deploy makes all"
    yield from (one.sentence for one in resources if one.loses_data)
    for one in datasets:
        yield one.sentence
        yield from (f"  {sentence}" for sentence in one.consequences)
    if not is_deployed:
        yield f"{counted(len(resources), 'resource')} added"
        return
    yield from (
        one.sentence for one in resources if not one.loses_data and not _is_told(one)
    )
    if not datasets and not resources:
        yield f"{environment} is as the project says: a deploy would change nothing"


def _is_told(change: ResourceChange) -> bool:
    return change.type in _BY_DATASET or (
        change.type == "AWS::Scheduler::Schedule" and "-schedules-" in change.stack
    )
