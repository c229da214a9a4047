"""The templates, synthesized once for all tests here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import app

UNBUNDLED: dict[str, object] = {"aws:cdk:bundling-stacks": []}
"""No package is installed; what a zip holds is tested by itself."""

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """What a synth wrote, by the name of its stack without `catflap-<env>-`."""

    folder: Path
    by_part: dict[str, dict[str, Any]]

    def __getitem__(self, part: str) -> dict[str, Any]:
        return self.by_part[part]

    def resources(self, kind: str) -> Iterator[tuple[str, str, Resource]]:
        """Part, logical id and resource of every resource of a type."""
        for part, template in self.by_part.items():
            for logical_id, resource in template["Resources"].items():
                if resource["Type"] == kind:
                    yield part, logical_id, resource

    def one(self, part: str, kind: str) -> Resource:
        """The only resource of a type in a stack."""
        (found,) = (resource for at, _, resource in self.resources(kind) if at == part)
        return found


def read_templates(folder: Path) -> Templates:
    """Every template in a synth's folder."""
    return Templates(
        folder=folder,
        by_part={
            path.name.removesuffix(".template.json").split("-", 2)[2]: json.loads(
                path.read_text()
            )
            for path in sorted(folder.glob("*.template.json"))
        },
    )


@pytest.fixture(scope="session")
def templates(synthesized: Path) -> Templates:
    """dev, with the datasets of the repository."""
    return read_templates(synthesized)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a user writes, to break."""
    for name in ("environments", "datasets", "apis"):
        shutil.copytree(app.ROOT / name, tmp_path / name)
    return tmp_path
