"""The README's commands do what it says, as they are printed there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PORT = "8001"


def commands(heading: str) -> list[str]:
    """What the console blocks of a section print behind `$`."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines()]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The repository's YAML in a folder of its own, and the port of its API, which
    others on this machine may have.
    """
    for name in ("datasets", "apis"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/catflap").symlink_to(Path(sys.executable).parent / "catflap")
    serving, *_ = commands("Your first table")
    with subprocess.Popen(  # noqa: S603 - our own program
        [*serving.split(), "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as api:
        assert api.stdout is not None
        port = api.stdout.readline().strip(" /\n").rpartition(":")[2]
        for path in (tmp_path / "apis").glob("*.yaml"):
            path.write_text(path.read_text().replace(PORT, port))
        yield tmp_path, port
        api.terminate()
        assert api.wait(timeout=120) == 130


@pytest.mark.long
def test_the_first_table_is_made_by_the_commands_as_printed(
    project: tuple[Path, str],
) -> None:
    folder, port = project
    said = {}
    _, *lines = commands("Your first table")
    for line in lines:
        done = subprocess.run(  # noqa: S603 - our own program
            shlex.split(line.replace(PORT, port)),
            cwd=folder,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        said[line.split(maxsplit=1)[1]] = done.stdout
    assert len(said["preview flights --limit 3"].splitlines()) == 3
    for name in ("flights", "departures"):
        pulled = f"pull {name} --to .catflap/landing --state .catflap/state.json"
        assert "26,865 rows landed" in said[pulled]
    assert "wrote datasets/departures.yaml" in next(
        text for line, text in said.items() if line.startswith("new")
    )
    assert (folder / ".catflap/landing/raw/departures").is_dir()


def test_the_port_that_the_readme_prints_is_the_one_that_the_datasets_ask() -> None:
    api = (ROOT / "apis/nycflights.yaml").read_text()
    assert f"http://127.0.0.1:{PORT}/" in api
    assert f"http://127.0.0.1:{PORT}/" in README
