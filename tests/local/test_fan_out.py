"""A child is pulled by the deployed function, with no permission but its role's: it
lists and reads its parent's runs, and keeps its API's budget in the state table.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from lambdas.core.dataset import Catalogue, catalogue_to_json
from lambdas.core.pull.run import Run, RunStatus
from local.aws.fabric import Fabric
from local.aws.invoke import FunctionHost
from local.scenarios.comparison import landed
from local.stack import ROOT
from tests.api_server import Answer, ApiServer, Asked, answer_json, serving
from tests.datasets import a_dataset
from tests.local.embedded_world import PULL, World, fabric_of

ORIGINS = {"EWR", "JFK", "LGA"}


def app(asked: Asked) -> Answer:
    """Two runways of an airport."""
    origin = asked.path.rpartition("/")[2]
    return answer_json({"rows": [{"id": f"{origin}{n}"} for n in (1, 2)]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A deployed stack whose pull function knows a child of `flights`, too."""

    world: World
    fabric: Fabric
    server: ApiServer

    def pull(self, dataset: str) -> Run:
        """One tick of a dataset, five minutes later."""
        self.world.move(self.world.now + timedelta(minutes=5))
        self.world.send(dataset)
        self.fabric.drain(self.world.now)
        (run,) = self.world.state().latest_runs(dataset, limit=1)
        assert run.status is RunStatus.LANDED, run.error
        return run


@pytest.fixture(scope="module")
def family(
    embedded: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Family]:
    folder: Path = tmp_path_factory.mktemp("family")
    with serving(app) as server:
        child = a_dataset(
            name="runways",
            source={
                "client": {"base_url": server.url, "rate_limit": {"requests": 100}},
                "endpoint": {"path": "runways/{parent.origin}"},
                "parent": {"dataset": "flights", "fields": {"origin": "origin"}},
            },
        )
        datasets = {**embedded.stack.project.catalogue.datasets, "runways": child}
        published = {
            "Bucket": embedded.stack.bucket(),
            "Key": embedded.function(PULL).environment["CATALOGUE_KEY"],
        }
        s3 = embedded.stack.cloud.client("s3")
        before = s3.get_object(**published)["Body"].read()
        catalogue = catalogue_to_json(Catalogue(datasets=datasets))
        s3.put_object(**published, Body=catalogue.encode())
        host = FunctionHost(
            embedded.stack.cloud,
            bundle_root=ROOT,
            log_dir=folder / "logs",
            extra_environment=embedded.stack.host.environment(embedded.function(PULL)),
        )
        try:
            fabric = fabric_of(embedded.stack, now=embedded.now, host=host)
            yield Family(world=embedded, fabric=fabric, server=server)
        finally:
            host.stop()
            s3.put_object(**published, Body=before)


def test_a_child_is_pulled_by_the_deployed_function_under_its_role(
    family: Family,
) -> None:
    assert family.pull("runways").rows == 0
    assert family.server.asked == []
    parent = family.pull("flights")
    child = family.pull("runways")
    assert child.rows == 2 * len(ORIGINS)
    assert {one.path for one in family.server.asked} == {
        f"/runways/{origin}" for origin in ORIGINS
    }
    assert (child.cursor_before, child.cursor_after) == (None, parent.run_id)
    stack = family.world.stack
    rows = landed(stack.cloud.client("s3"), stack.bucket(), "runways")
    assert sorted(json.loads(row)["id"] for row in rows) == sorted(
        f"{origin}{n}" for origin, n in itertools.product(ORIGINS, (1, 2))
    )
    assert family.pull("runways").requests == 0


def test_the_apis_budget_stands_in_the_state_table(family: Family) -> None:
    world = family.world
    found = world.stack.cloud.client("dynamodb").scan(
        TableName=world.function(PULL).environment["STATE_TABLE"]
    )
    budgets = [one for one in found["Items"] if one["pk"]["S"].startswith("RATE#")]
    assert len(budgets) == 1
    assert int(budgets[0]["version"]["N"]) >= 1
