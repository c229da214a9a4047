"""A copy of the tree, for what a contributor adds to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def copied(folder: Path, packages: Sequence[str]) -> None:
    """These packages of the tree, in the folder."""
    for package in packages:
        shutil.copytree(
            ROOT / package,
            folder / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )


def ran(folder: Path, *arguments: str) -> str:
    """What our own interpreter prints, with the copy's packages."""
    ended = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def answer(folder: Path, questions: str) -> Any:
    """The JSON document that the questions print; they find the folder in `argv`."""
    return json.loads(ran(folder, "-c", questions, str(folder)))
