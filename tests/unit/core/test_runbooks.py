"""Every cause has a page that helps, and the index says what the rules say."""

from __future__ import annotations

import pytest

from cli.runbook_index import PAGE, main, page
from lambdas.core.causes import BY_CODE, RULES


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_each_code_has_a_runbook_of_at_most_forty_lines(code: str) -> None:
    lines = (PAGE.parent / f"{code}.md").read_text(encoding="utf-8").splitlines()

    assert lines[0] == f"# {code}"
    assert len(lines) <= 40
    for part in ("**Evidence.**", "## What to do", "1. ", "## How to prevent it"):
        assert any(line.startswith(part) for line in lines), part


def test_there_is_no_runbook_for_a_code_that_does_not_exist() -> None:
    pages = {path.stem for path in PAGE.parent.glob("*.md")} - {"README"}

    assert pages == set(BY_CODE)


def test_the_index_is_what_the_rules_say() -> None:
    assert page() == PAGE.read_text(encoding="utf-8")
    assert main(["--check"]) == 0


def test_the_index_has_a_row_for_each_rule() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| [`")]

    assert len(rows) == len(RULES)
