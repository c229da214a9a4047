"""The user's project, or a part of it, as a trial deploys it: an environment `local`.

The YAML is taken as it stands: no address is changed. Only the environment is made: of
`environments/dev.yaml` where there is one, with every team that a dataset names.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import JsonValue

from lambdas.core.dataset import Catalogue
from lambdas.core.errors import BadInput
from lambdas.core.models.graph import inputs_of
from local.stack import Project
from project.environment_file import read_environment, read_project

LOCAL = "local"
"""The name of the environment; nobody's own may have it."""

_SNOWFLAKE: Mapping[str, JsonValue] = {
    "account": "example-local",
    "database": "CATFLAP_LOCAL",
    "warehouse": "CATFLAP_LOCAL",
    "admin": {"user": "CATFLAP_LOCAL_ADMIN", "role": "CATFLAP_LOCAL_ADMIN"},
    "reader": {"user": "CATFLAP_LOCAL_READER", "role": "CATFLAP_LOCAL_READER"},
}
_DEFAULTS: Mapping[str, JsonValue] = {
    "account": "000000000000",
    "region": "us-east-1",
    "snowflake": dict(_SNOWFLAKE),
}
_ALWAYS: Mapping[str, JsonValue] = {
    "slack": {"secret": "catflap/slack"},
    "schedule_stacks": 1,
    "keep_data": False,
}
"""Slack is the look-alike, and what is made goes with the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFolders:
    """Where the user's files are."""

    datasets: Path
    apis: Path
    environments: Path
    models: Path

    @property
    def sources(self) -> Path:
        """Python sources stand beside the datasets."""
        return self.datasets.resolve().parent / "sources"


def chosen(catalogue: Catalogue, names: Sequence[str]) -> list[str]:
    """The datasets to try: those named, all if none is, after their parents."""
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in ordered:
            return
        parent = catalogue.datasets[name].source.parent
        if parent is not None:
            add(parent.dataset)
        ordered.append(name)

    for name in names or sorted(catalogue.datasets):
        add(name)
    return ordered


def lay_out(
    root: Path,
    folders: ProjectFolders,
    catalogue: Catalogue,
    names: Sequence[str],
    *,
    is_real_time: bool = False,
) -> Project:
    """Write the project of the trial to `root`, and read it again as a deploy would.
    In real time somebody sits and waits: then checks are made every minute.

    Raises BadInput if the user has an environment of the trial's name.
    """
    if (folders.environments / f"{LOCAL}.yaml").exists():
        raise BadInput(
            f"{folders.environments / LOCAL}.yaml: `{LOCAL}` is the name of the "
            "environment of `catflap try`; accepted: another name for yours"
        )
    for name in ("datasets", "apis", "environments", "models"):
        (root / name).mkdir(parents=True)
    for name in names:
        shutil.copy2(folders.datasets / f"{name}.yaml", root / "datasets")
    for path in folders.apis.glob("*.yaml"):
        shutil.copy2(path, root / "apis")
    for name in _models_of(catalogue, names):
        for path in folders.models.glob(f"{name}.*"):
            shutil.copy2(path, root / "models")
    teams = sorted({catalogue.datasets[name].owner.team for name in names})
    environment = root / "environments" / f"{LOCAL}.yaml"
    settings = _environment(folders, teams)
    if is_real_time:
        settings["check_every_minutes"] = 1
    environment.write_text(yaml.safe_dump(settings))
    known, deployed = read_project(root, LOCAL)
    return Project(environment=known, catalogue=deployed)


def _models_of(catalogue: Catalogue, names: Sequence[str]) -> list[str]:
    """The models that need no other dataset than these."""
    return [
        name
        for name in catalogue.models
        if set(inputs_of(catalogue, name)) <= set(names)
    ]


def _environment(folders: ProjectFolders, teams: Sequence[str]) -> dict[str, JsonValue]:
    base: dict[str, JsonValue] = dict(_DEFAULTS)
    if (folders.environments / "dev.yaml").exists():
        read = read_environment(folders.environments, "dev")
        base = json.loads(read.model_dump_json(exclude_unset=True))
        base.pop("name", None)
        snowflake = base["snowflake"]
        assert isinstance(snowflake, dict)
        # No key pair is needed where no account is.
        base["snowflake"] = {**snowflake, "authenticator": "workload_identity"}
    declared = base.get("teams")
    known = declared if isinstance(declared, dict) else {}
    everybody: dict[str, JsonValue] = {name: known.get(name, {}) for name in teams}
    return {**base, **_ALWAYS, "teams": everybody}
