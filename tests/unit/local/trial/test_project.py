"""The user's files are deployed as they stand; only the environment is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdas.core.errors import BadInput
from local.trial.project import ProjectFolders, chosen, lay_out
from project.yaml_files import load_catalogue

DATASET = """
description: cats
owner: {{team: {team}}}
source:
  client: {{base_url: "https://cats.example.com/"}}
  endpoint: {{path: "{path}", data_selector: items}}
  {parent}
primary_key: [id]
write_disposition: replace
schedule: {{rate: 1 hour}}
"""
DEV = """
account: "123456789012"
region: eu-central-1
snowflake:
  account: example-dev
  database: DEV_DB
  warehouse: DEV_WH
  authenticator: key_pair
  admin: {user: A, role: A, private_key_secret: a}
  reader: {user: R, role: R, private_key_secret: r}
  repairer: {user: P, role: P, private_key_secret: p}
  reporter: {user: Q, role: Q, private_key_secret: p}
teams: {others: {}}
"""


@pytest.fixture
def folders(tmp_path: Path) -> ProjectFolders:
    made = ProjectFolders(
        datasets=tmp_path / "datasets",
        apis=tmp_path / "apis",
        environments=tmp_path / "environments",
        models=tmp_path / "models",
    )
    made.datasets.mkdir()
    write(made, "cats")
    write(made, "dogs", team="canines")
    child = "parent: {dataset: cats, fields: {cat: id}}"
    write(made, "kittens", path="cats/{parent.cat}/kittens", parent=child)
    return made


def write(
    folders: ProjectFolders,
    name: str,
    *,
    team: str = "felines",
    path: str = "x",
    parent: str = "",
) -> None:
    text = DATASET.format(team=team, path=path, parent=parent)
    (folders.datasets / f"{name}.yaml").write_text(text)


def test_a_part_of_a_project_comes_with_its_parents_first(
    folders: ProjectFolders,
) -> None:
    catalogue = load_catalogue(folders.datasets, folders.apis)

    assert chosen(catalogue, ["kittens"]) == ["cats", "kittens"]
    assert chosen(catalogue, []) == ["cats", "dogs", "kittens"]


def test_without_an_environment_there_is_one_with_every_team(
    folders: ProjectFolders, tmp_path: Path
) -> None:
    catalogue = load_catalogue(folders.datasets, folders.apis)
    project = lay_out(tmp_path / "out", folders, catalogue, ["cats", "dogs"])

    assert sorted(project.catalogue.datasets) == ["cats", "dogs"]
    assert sorted(project.environment.teams) == ["canines", "felines"]
    assert project.catalogue["cats"] == catalogue["cats"]


def test_what_dev_says_holds_but_for_what_needs_an_account(
    folders: ProjectFolders, tmp_path: Path
) -> None:
    folders.environments.mkdir()
    (folders.environments / "dev.yaml").write_text(DEV)
    catalogue = load_catalogue(folders.datasets, folders.apis)
    known = lay_out(tmp_path / "out", folders, catalogue, ["cats"]).environment

    assert (known.name, known.region) == ("local", "eu-central-1")
    assert known.snowflake.database == "DEV_DB"
    assert known.snowflake.authenticator == "workload_identity"
    assert not known.keep_data


def test_the_name_of_the_environment_is_reserved(
    folders: ProjectFolders, tmp_path: Path
) -> None:
    folders.environments.mkdir()
    (folders.environments / "local.yaml").write_text(DEV)
    catalogue = load_catalogue(folders.datasets, folders.apis)

    with pytest.raises(BadInput, match="`local` is the name of the environment"):
        lay_out(tmp_path / "out", folders, catalogue, ["cats"])
