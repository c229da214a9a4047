"""What the embedded stack runs is what `cdk synth` writes and `cdk deploy` uploads.

The templates are the same byte for byte; the code of a function's zip is the
repository's, from which functions run here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lambdas.core.dataset import catalogue_to_json
from lambdas.core.names import CATALOGUE_FILE
from local.aws.assembly import files_of
from local.stack import ROOT, read
from tests.local.cdk_cli import run_node


@pytest.fixture(scope="module")
def deployable(cdk_cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `cdk synth` writes, bundles included."""
    out = tmp_path_factory.mktemp("deployable") / "cdk.out"
    app = json.loads((ROOT / "cdk.json").read_text())["app"]
    python, _, script = app.partition(" ")
    assert python == ".venv/bin/python"
    done = run_node(
        *(cdk_cli, "synth", "--quiet", "--no-notices"),
        *("--app", f"{sys.executable} {script}", "--output", out),
        cwd=ROOT,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return out


def templates(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.template.json")}


def test_the_templates_are_the_same_byte_for_byte(
    deployable: Path, synthesized: Path
) -> None:
    deployed = templates(deployable)
    assert len(deployed) >= 7
    assert templates(synthesized) == deployed


def test_every_zip_holds_the_code_that_runs_here(
    deployable: Path,
) -> None:
    zips = sorted(path for path in deployable.glob("asset.*") if path.is_dir())
    handlers = set()
    for folder in zips:
        ours = [
            path
            for path in folder.rglob("lambdas/**/*")
            if path.is_file() and path.suffix != ".pyc"
        ]
        assert len(ours) > 50
        for path in ours:
            assert path.read_bytes() == (ROOT / path.relative_to(folder)).read_bytes()
        handlers |= {path.parent.name for path in ours if path.name == "handler.py"}
    every = {path.parent.name for path in ROOT.glob("lambdas/*/handler.py")}
    # `dev` names no receiver of OpenLineage's events.
    assert handlers == every - {"lineage"}


def test_the_datasets_that_run_here_are_those_that_a_deploy_uploads(
    deployable: Path,
) -> None:
    project = read(ROOT, "dev", upstream_url="http://127.0.0.1:1/")
    (file,) = (one for one in files_of(deployable) if one.name == CATALOGUE_FILE)
    catalogue = json.loads(file.path.read_text())
    here = json.loads(catalogue_to_json(project.catalogue))
    # Where upstream answers is the one thing that a file cannot know.
    assert _without_addresses(catalogue) == _without_addresses(here)


def _without_addresses(value: object) -> object:
    match value:
        case dict():
            return {
                key: _without_addresses(one)
                for key, one in value.items()
                if key != "base_url"
            }
        case list():
            return [_without_addresses(one) for one in value]
        case _:
            return value
