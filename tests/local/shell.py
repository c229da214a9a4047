"""A person's shell before the embedded stack."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from local.stack import LOOPBACK, PERSON
from tests.local.embedded_world import World


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A person's shell. What it ran ended with a code and printed two texts."""

    world: World
    folders: list[str]
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self.monkeypatch.setenv("CATFLAP_NOW", self.world.now.isoformat())
        self.capfd.readouterr()
        reads_the_project = arguments[0] not in {"first-look", "incidents", "sql"}
        folders = self.folders if reads_the_project else self.folders[-2:]
        code = run([*arguments, *folders])
        said = self.capfd.readouterr()
        return code, said.out, said.err

    def json(self, *arguments: str) -> tuple[int, Any]:
        code, out, err = self(*arguments, "--json")
        assert out.count("\n") == 1, err
        return code, json.loads(out)


@pytest.fixture
def shell(
    embedded: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Shell:
    cloud = embedded.stack.cloud
    access_key, secret_key = cloud.administrator_keys()
    variables = {
        "AWS_ENDPOINT_URL": cloud.endpoint_url,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        # A person's own login; the reader's is bound to the function's role.
        "SNOWFLAKE_USER": PERSON,
        **embedded.stack.snowflake.environment(),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # set by the command if nobody has, as here; put back with the others
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.delenv("AWS_REGION")
    apis = tmp_path / "apis"
    apis.mkdir()
    for file in (embedded.root / "apis").glob("*.yaml"):
        text = re.sub(
            rf"{re.escape(LOOPBACK)}\d+/?", embedded.upstream.base_url, file.read_text()
        )
        (apis / file.name).write_text(text)
    folders = [
        "--datasets", str(embedded.root / "datasets"), "--apis", str(apis),
        "--environments", str(embedded.root / "environments"),
    ]  # fmt: skip
    return Shell(world=embedded, folders=folders, monkeypatch=monkeypatch, capfd=capfd)
