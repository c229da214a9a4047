"""A synthesized cloud assembly, read back: stacks in the order in which they deploy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

STACK = "aws:cloudformation:stack"


class AssemblyNotUnderstood(Exception):
    """The folder is no cloud assembly, or holds what is not handled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembledStack:
    """One stack: its name, its account and region (None: whichever), its template."""

    name: str
    account: str | None
    region: str | None
    template: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembledFile:
    """A file that a deploy uploads before anything else: where to, and from where."""

    name: str
    bucket: str
    key: str
    path: Path


def files_of(folder: Path) -> list[AssembledFile]:
    """What `cdk publish-assets` uploads as it is: no zips, which run from here."""
    return [
        AssembledFile(
            name=one["displayName"],
            bucket=to["bucketName"],
            key=to["objectKey"],
            path=folder / one["source"]["path"],
        )
        for manifest in sorted(folder.glob("*.assets.json"))
        for one in json.loads(manifest.read_text())["files"].values()
        if one["source"]["packaging"] == "file"
        for to in one["destinations"].values()
    ]


def read_assembly(folder: Path) -> list[AssembledStack]:
    """The stacks of `cdk.out`, each after those it depends on.

    Raises AssemblyNotUnderstood.
    """
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise AssemblyNotUnderstood(
            f"no manifest.json in {folder}: a folder written by `cdk synth` is needed"
        )
    artifacts = json.loads(manifest.read_text())["artifacts"]
    stacks = {name: one for name, one in artifacts.items() if one["type"] == STACK}
    nested = [
        name for name, one in artifacts.items() if one["type"] == "cdk:cloud-assembly"
    ]
    if nested:
        raise AssemblyNotUnderstood(
            f"stages ({', '.join(nested)}) are not handled: deploy each one's folder"
        )
    graph = {
        name: [other for other in one.get("dependencies", []) if other in stacks]
        for name, one in stacks.items()
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as cycle:
        raise AssemblyNotUnderstood(
            f"stacks depend on each other: {cycle.args[1]}"
        ) from None
    return [_stack(folder, name, stacks[name]) for name in order]


def _stack(folder: Path, name: str, artifact: Mapping[str, Any]) -> AssembledStack:
    properties = artifact["properties"]
    account, _, region = artifact["environment"].removeprefix("aws://").partition("/")
    return AssembledStack(
        name=properties.get("stackName", name),
        account=None if account == "unknown-account" else account,
        region=None if region == "unknown-region" else region,
        template=json.loads((folder / properties["templateFile"]).read_text()),
    )
