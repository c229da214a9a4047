"""checkov, which needs an environment of its own: it wants other versions than we."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import app
from stacks.constructs.nag import CHECKOV
from tests.stacks.conftest import Templates

OWN = app.ROOT / ".venv-checkov" / "bin" / "checkov"


def test_what_is_kept_of_its_findings_is_explained_in_the_docs() -> None:
    told = re.findall(
        r"CKV_AWS_\d+", (app.ROOT / "docs" / "decisions" / "README.md").read_text()
    )
    assert set(told) == {rule for rules in CHECKOV.values() for rule in rules}
    assert all(len(why) > 20 for rules in CHECKOV.values() for why in rules.values())


@pytest.mark.long
def test_it_finds_nothing_that_nobody_explained(templates: Templates) -> None:
    checkov = str(OWN) if OWN.exists() else shutil.which("checkov")
    if checkov is None:
        pytest.skip("checkov is not here: `make checkov` installs it")
    # one process: its imports take longer than what it reads
    done = subprocess.run(  # noqa: S603 - our own arguments
        [
            checkov, "--file", *sorted(Path(templates.folder).glob("*.template.json")),
            "--framework", "cloudformation", "--compact", "--quiet", "--skip-download",
        ],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
