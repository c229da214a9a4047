"""What `cdk synth` runs: environment and datasets in, stacks out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lambdas.core.errors import BadInput
from project.environment_file import read_project
from stacks.all_stacks import add_stacks, new_app

if TYPE_CHECKING:
    from aws_cdk import App

ROOT = Path(__file__).resolve().parent


def build(
    *,
    root: Path = ROOT,
    outdir: Path | None = None,
    context: Mapping[str, object] | None = None,
) -> App:
    """Every stack of the environment that `context["env"]` names, `dev` if none.

    `root` holds environments/, datasets/ and apis/. Without `outdir` the CDK decides
    where the templates go. Raises BadInput, which lists every fault in the YAML.
    """
    app = new_app(outdir=outdir, context=context or {})
    name = app.node.try_get_context("env") or "dev"
    environment, catalogue = read_project(root, name)
    add_stacks(app, environment=environment, catalogue=catalogue)
    return app


def main() -> None:
    """Synthesize to cdk.out, or where the CDK's command line wants it; bad input ends
    with exit code 2 and a line for each fault.
    """
    outdir = None if "CDK_OUTDIR" in os.environ else ROOT / "cdk.out"
    try:
        build(outdir=outdir).synth()
    except BadInput as faults:
        sys.stderr.write(f"{faults}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
