"""Every cause has a page that helps, and the index says what the rules say."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.generate import ROOT, documents
from lambdas.core.diagnosis.causes import BY_CODE, RULES

INDEX = Path("docs/runbooks/README.md")
FOLDER = (ROOT / INDEX).parent


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_each_code_has_a_runbook_of_at_most_forty_lines(code: str) -> None:
    lines = (FOLDER / f"{code}.md").read_text(encoding="utf-8").splitlines()

    assert lines[0] == f"# {code}"
    assert len(lines) <= 40
    for part in ("**Evidence.**", "## What to do", "1. ", "## How to prevent it"):
        assert any(line.startswith(part) for line in lines), part


def test_there_is_no_runbook_for_a_code_that_does_not_exist() -> None:
    pages = {path.stem for path in FOLDER.glob("*.md")} - {"README"}

    assert pages == set(BY_CODE)


def test_the_index_has_a_row_for_each_rule() -> None:
    rows = [line for line in documents()[INDEX].splitlines() if line.startswith("| [`")]

    assert len(rows) == len(RULES)
