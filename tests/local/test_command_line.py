"""The CDK's own command line against the embedded AWS: what `docs/deploying.md` has a
person type, from an account that nobody bootstrapped to a deploy with nothing to do.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from lambdas.core.names import landing_bucket_name
from local.aws.assembly import files_of, read_assembly
from local.aws.cloud import Cloud
from local.aws.cloudformation import CloudFormation
from local.aws.cloudformation_api import CloudFormationApi
from local.aws.invoke import FunctionHost
from local.snowflake.process import EmbeddedSnowflake
from local.stack import PERSON, ROOT, read
from tests.local.cdk_cli import run_node

OURS = "catflap-dev-"
PAGE = (ROOT / "docs" / "deploying.md").read_text()
ELSEWHERE = {
    "make synth": "test_what_runs_is_what_deploys, by the CDK's command line",
    """CDK_CONTEXT_JSON='{"env": "prod"}' make synth""": "tests/stacks/test_schedules",
    "npm ci": "tests.local.cdk_cli, where Node's packages are not there",
    "node=$(": "tests.local.cdk_cli: Node of the Python lock",
    "$node/bin/node": "tests.local.cdk_cli: every command here runs by it",
    "for lock in": "make lock, which asks a registry",
}
"""Commands of the page that are not run here, by how they begin."""
PROJECT = read(ROOT, "dev", upstream_url="http://127.0.0.1:1/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account, and templates that the command line brings to it."""

    cloud: Cloud
    snowflake: EmbeddedSnowflake
    host: FunctionHost
    api: CloudFormationApi
    cdk_cli: Path
    assembly: Path
    folder: Path

    def cdk(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        access_key, secret_key = self.cloud.administrator_keys()
        always = ("--no-notices", "--ci", "--app", str(self.assembly))
        return run_node(
            str(self.cdk_cli),
            *arguments,
            *always,
            cwd=self.folder,
            AWS_ACCESS_KEY_ID=access_key,
            AWS_SECRET_ACCESS_KEY=secret_key,
            AWS_REGION=self.cloud.region,
            AWS_ENDPOINT_URL=self.cloud.endpoint_url,
            AWS_ENDPOINT_URL_CLOUDFORMATION=self.api.url,
            HOME=str(self.folder),
        )

    def types(self, line: str) -> subprocess.CompletedProcess[str]:
        """What a person's shell does with a line, in the folder of the project."""
        access_key, secret_key = self.cloud.administrator_keys()
        return subprocess.run(  # noqa: S603 - the page's lines
            ["/bin/sh", "-c", line],
            cwd=ROOT,
            env={
                **os.environ,
                **self.snowflake.environment(),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "AWS_ACCESS_KEY_ID": access_key,
                "AWS_SECRET_ACCESS_KEY": secret_key,
                "AWS_REGION": self.cloud.region,
                "AWS_ENDPOINT_URL": self.cloud.endpoint_url,
                "AWS_ENDPOINT_URL_CLOUDFORMATION": self.api.url,
                "SNOWFLAKE_USER": PERSON,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def does(self, *arguments: str) -> str:
        """What it says, having succeeded."""
        done = self.cdk(*arguments)
        said = f"{done.stdout}{done.stderr}"
        assert done.returncode == 0, said
        return said

    def empty_the_bucket(self) -> None:
        """As the page has a person do; the published datasets are in it."""
        known = PROJECT.environment
        name = landing_bucket_name(
            known.name, account=known.account, region=known.region
        )
        s3 = self.cloud.client("s3")
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for one in page.get("Versions", ()):
                s3.delete_object(
                    Bucket=name, Key=one["Key"], VersionId=one["VersionId"]
                )

    def prepare_snowflake(self) -> None:
        """An administrator runs the SQL of `catflap bootstrap-sql`."""
        steps = PROJECT.environment.snowflake_account.bootstrap()
        self.snowflake.administer([text for one in steps for text in one.statements])


@pytest.fixture(scope="module")
def account(
    cdk_cli: Path, synthesized: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("account")
    environment = PROJECT.environment
    with ExitStack() as opened:
        cloud = opened.enter_context(
            Cloud(log_file=folder / "aws.log", account=environment.account)
        )
        access_key, secret_key = cloud.administrator_keys()
        snowflake = opened.enter_context(
            EmbeddedSnowflake(
                cloud.endpoint_url, access_key=access_key, secret_key=secret_key
            )
        )
        host = FunctionHost(
            cloud,
            bundle_root=ROOT,
            log_dir=folder,
            extra_environment=snowflake.environment(),
        )
        opened.callback(host.stop)
        model = CloudFormation(cloud=cloud, host=host)
        api = opened.enter_context(
            CloudFormationApi(model, ours=lambda name: name.startswith(OURS))
        )
        made = Account(
            cloud=cloud,
            snowflake=snowflake,
            host=host,
            api=api,
            cdk_cli=cdk_cli,
            assembly=synthesized,
            folder=folder,
        )
        account_id, region = environment.account, environment.region
        made.does("bootstrap", f"aws://{account_id}/{region}")
        yield made


def test_list_names_every_stack_after_those_it_needs(account: Account) -> None:
    names = [one for one in account.does("list").splitlines() if one.startswith(OURS)]
    assert names == [stack.name for stack in read_assembly(account.assembly)]


def test_what_a_deploy_uploads_is_where_the_templates_look_for_it(
    account: Account,
) -> None:
    account.does("publish-assets", "--all", "--unstable=publish-assets")
    s3 = account.cloud.client("s3")
    for file in files_of(account.assembly):
        found = s3.get_object(Bucket=file.bucket, Key=file.key)["Body"].read()
        assert found == file.path.read_bytes(), file.name


@pytest.mark.long
def test_a_first_deploy_that_fails_is_rolled_back_and_the_second_succeeds(
    account: Account,
) -> None:
    # nobody ran the SQL, so that Snowflake knows no user
    deploy = ("deploy", "--all", "--require-approval", "never")
    failed = account.cdk(*deploy)
    assert failed.returncode == 1
    assert "ROLLBACK_COMPLETE" in failed.stderr
    assert account.api.status(f"{OURS}warehouse") == "ROLLBACK_COMPLETE"
    assert account.api.status(f"{OURS}landing") == "CREATE_COMPLETE"

    account.prepare_snowflake()
    account.does(*deploy)
    stacks = [stack.name for stack in read_assembly(account.assembly)]
    assert {account.api.status(name) for name in stacks} == {"CREATE_COMPLETE"}

    again = account.does(*deploy)
    assert again.count("(no changes)") == len(stacks)
    assert "no differences" in account.does("diff", "--fail")


def commands() -> list[str]:
    """What the page's console blocks print behind `$`, without comments."""
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    typed = [line[2:] for line in lines if line.startswith("$ ")]
    return [re.sub(r"\s{2,}#.*", "", line) for line in typed]


def statements() -> list[str]:
    return re.findall(r"```sql\n(.*?);\n```", PAGE, re.DOTALL)


@pytest.mark.long
def test_every_command_of_the_page_runs_as_it_stands(
    account: Account, tmp_path: Path
) -> None:
    """After the deploy above, in the order of the page."""
    roles = PROJECT.environment.snowflake_account.users
    account.snowflake.administer(
        [
            f"CREATE USER {PERSON}",
            *(f"GRANT ROLE {one.role} TO USER {PERSON}" for one in roles),
        ]
    )
    left = set(ELSEWHERE)
    for line in commands():
        known = next((one for one in ELSEWHERE if line.startswith(one)), None)
        if known is not None:
            left.discard(known)
        elif line.startswith("npx cdk "):
            words = line.removeprefix("npx cdk ").replace("-c env=dev", "").split()
            if words[0] != "bootstrap":
                if words[0] == "destroy":
                    account.empty_the_bucket()
                asks = {
                    "deploy": ["--require-approval", "never"],
                    "destroy": ["--force"],
                }
                account.does(*words, *asks[words[0]])
        else:
            ran = account.types(re.sub(r"> (\S+)", rf"> {tmp_path}/\1", line))
            # a doctor tells what a new account lacks by its code
            codes = {0, 1} if " doctor " in line else {0}
            assert ran.returncode in codes, (line, ran.stdout, ran.stderr)
            assert "Traceback" not in ran.stderr
        if " deploy " in line and known is None:
            read_as_the_page_says(account)
    assert left == set(), "the page has these no longer"
    assert not account.api.stands(f"{OURS}landing")
    for name in ("bootstrap.sql", "teardown.sql"):
        assert "CATFLAP_DEV" in (tmp_path / name).read_text()


def read_as_the_page_says(account: Account) -> None:
    grant, select, revoke = statements()
    ask = account.snowflake.administer
    ask(
        [
            "CREATE ROLE ANALYSTS",
            "GRANT USAGE ON WAREHOUSE CATFLAP_DEV TO ROLE ANALYSTS",
            "GRANT ROLE ANALYSTS TO USER ADMINISTRATOR",
        ]
    )
    ask([grant], role="SYSADMIN")
    assert ask([select], role="ANALYSTS", warehouse="CATFLAP_DEV") == [(0,)]
    ask([revoke])
