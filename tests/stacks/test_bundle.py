"""What a zip holds, and what its hash depends on."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from stacks.constructs import bundle
from stacks.constructs.bundle import (
    LOCK,
    PULL,
    ROOT,
    SNOWFLAKE_LOCK,
    WITH_CONNECTOR,
    Bundle,
)
from tests.stacks.import_graph import file_of, modules_below

IMPORT_NAMES = {
    "aws-lambda-powertools": "aws_lambda_powertools",
    "slack-sdk": "slack_sdk",
    "snowflake-connector-python": "snowflake",
    "pydantic-core": "pydantic_core",
}


def packages(lock: Path) -> set[str]:
    names = re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text(), re.MULTILINE)
    return {IMPORT_NAMES.get(name, name) for name in names}


def imported(files: list[Path]) -> set[str]:
    """The top-level packages imported anywhere but for type checking."""
    found = set()
    for path in files:
        if path.suffix != ".py":
            continue
        tree = ast.parse((ROOT / path).read_text())
        for guard in ast.walk(tree):
            if isinstance(guard, ast.If) and "TYPE_CHECKING" in ast.unparse(guard.test):
                guard.body = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"lambdas"}


def _install_nothing(_lock: Path, _target: Path, _platform: str) -> None:
    """The packages are not what these tests are about."""


def test_pulls_lock_has_no_snowflake_connector() -> None:
    assert "snowflake" not in packages(LOCK)
    assert packages(LOCK) < packages(SNOWFLAKE_LOCK)


@pytest.mark.parametrize(
    ("slice_name", "lock"),
    [("pull", LOCK), ("freshness", SNOWFLAKE_LOCK), ("warehouse", SNOWFLAKE_LOCK)],
)
def test_every_package_that_a_function_imports_is_in_its_lock(
    slice_name: str, lock: Path
) -> None:
    modules = modules_below(f"lambdas.{slice_name}.handler")
    needed = imported([file_of(module) for module in modules])
    assert "aws_lambda_powertools" in needed
    assert needed <= packages(lock)


def test_locks_agree_with_what_tests_run_with() -> None:
    """The same versions here and there, or tests prove something else."""
    version = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
    here = dict(version.findall((ROOT / "requirements.txt").read_text()))
    for lock in (LOCK, SNOWFLAKE_LOCK):
        there = dict(version.findall((ROOT / lock).read_text()))
        assert there == {name: here.get(name) for name in there}, lock


def test_a_bundle_holds_its_own_slices_only() -> None:
    slices = {path.parts[1] for path in PULL.own_files() if len(path.parts) > 2}
    assert slices == {"core", "adapters", "pull"}
    assert not any("__pycache__" in path.parts for path in PULL.own_files())


def test_other_slices_or_another_lock_change_the_hash() -> None:
    hashes = {
        PULL.digest(),
        WITH_CONNECTOR.digest(),
        Bundle(slices=("pull",), lock=SNOWFLAKE_LOCK).digest(),
    }
    assert len(hashes) == 3
    assert PULL.digest() == PULL.digest()


def test_a_bundle_carries_code_and_no_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_install", _install_nothing)
    PULL.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"lambdas", "sources"}
    assert (tmp_path / "lambdas" / "core" / "dataset.py").is_file()


def test_bytecode_is_that_of_lambdas_python_and_the_same_wherever_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_install", _install_nothing)
    # whatever Python is here stands for Lambda's
    monkeypatch.setattr(bundle, "python_of_lambda", lambda: sys.executable)
    made = []
    for name in ("one", "other"):
        PULL.write(tmp_path / name)
        compiled = sorted((tmp_path / name).rglob("*.pyc"))
        made.append(
            {path.relative_to(tmp_path / name): path.read_bytes() for path in compiled}
        )
    assert made[0] == made[1]
    assert len(made[0]) == sum(1 for _ in (tmp_path / "one").rglob("*.py"))
    (handler,) = (
        code
        for path, code in made[0].items()
        if "pull/__pycache__/handler" in str(path)
    )
    assert b"/var/task/lambdas/pull/handler.py" in handler
    assert str(tmp_path).encode() not in handler


def test_without_lambdas_python_a_bundle_says_that_it_starts_slowly(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(bundle, "_install", _install_nothing)
    monkeypatch.setattr(bundle, "python_of_lambda", lambda: None)
    PULL.write(tmp_path)
    assert "no Python 3.13 here" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_bundle_lambda_would_refuse_is_refused_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_install", _install_nothing)
    monkeypatch.setattr(bundle, "MAX_UNZIPPED_BYTES", 1000)
    with pytest.raises(RuntimeError, match=r"bytes unzipped; Lambda takes 1,000"):
        PULL.write(tmp_path)


def test_a_lock_that_cannot_be_installed_stops_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("orjson==3.13.0\n")  # no hash
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(RuntimeError, match="hash"):
        Bundle(slices=("pull",), lock=lock).write(tmp_path / "out")
