from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import run
from project.environment_file import read_environment

ENVIRONMENTS = Path(__file__).resolve().parents[3] / "environments"
KNOWN = read_environment(ENVIRONMENTS, "prod").snowflake_account


@pytest.mark.parametrize(
    ("command", "steps"),
    [("bootstrap-sql", KNOWN.bootstrap()), ("teardown-sql", KNOWN.teardown())],
)
def test_the_script_holds_the_statements_that_the_embedded_run_executes(
    command: str, steps: object, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--environments", str(ENVIRONMENTS)]
    assert run([command, "--env", "prod", *folder]) == 0
    lines = capsys.readouterr().out.splitlines()
    statements = [line for line in lines if line and not line.startswith("--")]
    assert statements == [
        f"{text};"
        for step in steps  # type: ignore[attr-defined]  # steps, as the list above has
        for text in step.statements
    ]
    assert all(len(line) <= 88 for line in lines if line.startswith("--"))


@pytest.mark.parametrize("command", ["bootstrap-sql", "teardown-sql"])
def test_an_environment_that_is_not_there_is_bad_input(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--env", "nope"]) == 2
    assert "there is no environment `nope`" in capsys.readouterr().err


def test_the_documented_grant_to_people_is_the_one_that_is_made() -> None:
    text = (ENVIRONMENTS.parent / "docs" / "deploying.md").read_text()
    dev = read_environment(ENVIRONMENTS, "dev").snowflake_account
    assert f"{dev.share_with('ANALYSTS')};" in text
