"""Each pair of action and resource that a role is granted was used in a run, or is
explained in `implied_actions.yaml`. What is lacking, the embedded AWS refuses.

`make grants` records what runs use, and then runs this.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.aws.strict.grants_used import general
from local.stack import ROOT
from tests.local.embedded_world import World

HERE = Path(__file__).parent
USED = ROOT / "build" / "used_grants.jsonl"
IMPLIED: list[dict[str, str]] = yaml.safe_load(
    (HERE / "implied_actions.yaml").read_text()
)

pytestmark = pytest.mark.long

Grant = tuple[str, str, str]
"""A role, an action and a resource."""


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def granted(world: World) -> set[Grant]:
    iam = world.stack.cloud.client("iam")
    found = set()
    for role in iam.get_paginator("list_roles").paginate().search("Roles[].RoleName"):
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document: dict[str, Any] = iam.get_role_policy(
                RoleName=role, PolicyName=name
            )["PolicyDocument"]
            found |= {
                (role, action, resource)
                for statement in document["Statement"]
                if statement["Effect"] == "Allow"
                for action in listed(statement["Action"])
                for resource in listed(statement["Resource"])
            }
    return {_general(one) for one in found}


def _general(grant: Grant) -> Grant:
    role, action, resource = json.loads(general(json.dumps(grant)))
    return role, action, resource


def used() -> set[Grant]:
    if not USED.exists():
        pytest.skip("nothing was recorded: `make grants` does, in a quarter of an hour")
    lines = map(json.loads, USED.read_text().splitlines())
    return {(role, action, resource) for role, action, resource in lines}


def explains(one: dict[str, str], grant: Grant) -> bool:
    wanted = (one["role"], one["action"], one["resource"])
    return all(map(fnmatchcase, grant, wanted))


@pytest.fixture(scope="module")
def grants(embedded: World) -> set[Grant]:
    return granted(embedded)


def test_no_role_is_granted_what_no_run_uses_and_nobody_explains(
    grants: set[Grant],
) -> None:
    needless = {
        one for one in grants - used() if not any(explains(why, one) for why in IMPLIED)
    }
    assert needless == set(), "take it away, use it in a run, or say why it stays"


def test_nothing_is_explained_that_is_not_granted_or_that_runs_use(
    grants: set[Grant],
) -> None:
    unused = grants - used()
    for one in IMPLIED:
        assert one.keys() == {"role", "action", "resource", "why", "source"}
        assert any(explains(one, grant) for grant in unused), one
