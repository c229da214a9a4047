from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.house_copy import copied, ran
from tests.unit.core.diagnosis.signal_documents import QUIET, changed

RULE = """
TABLE_HALVED = Rule(
    code="table_halved",
    stage=Stage.TABLE,
    group=Group.SOURCE,
    holds_when="the table has less than half of the rows it had",
    fault=lambda seen: (
        (seen.signals.table.row_count or 0) * 2
        < (seen.signals.table.previous_row_count or 0)
    ),
    pages=Pages.ON_ERROR,
    headline=lambda _: "half of the rows are gone",
    evidence=(say.counts,),
    next_step=lambda seen: f"see {say.command(seen, 'runs')}",
    plain="Half of the data is gone.",
)
SOURCE = (TABLE_HALVED, """

PAGE = """# table_halved

Half of the rows are gone.

**Evidence.** The table's rows, now and before.

## What to do

1. `catflap runs NAME`.

## How to prevent it

Nobody deletes by hand.
"""

CASE = {
    "signals": changed(
        QUIET, {"table.row_count": 2000, "table.previous_row_count": 5000}
    ),
    "expect": {
        "cause": "table_halved",
        "stage": "table",
        "page": True,
        "headline": "cat_data 10 h late: half of the rows are gone",
    },
}


@pytest.mark.long
def test_a_cause_is_added_by_a_rule_a_runbook_and_a_case(tmp_path: Path) -> None:
    copied(tmp_path, ("lambdas", "project", "cli", "docs", "tests"))
    rules = tmp_path / "lambdas/core/diagnosis/causes/beyond.py"
    text = rules.read_text()
    assert text.count("\nSOURCE = (") == 1
    rules.write_text(text.replace("\nSOURCE = (", RULE))
    (tmp_path / "docs/runbooks/table_halved.md").write_text(PAGE)
    (tmp_path / "tests/cases/diagnosis/table-halved.json").write_text(json.dumps(CASE))

    index = ran(
        tmp_path,
        "-c",
        "from cli.generate import documents, Path; "
        "print(documents()[Path('docs/runbooks/README.md')])",
    )
    assert "[`table_halved`]" in index
    assert "the table has less than half of the rows it had" in index
    said = ran(
        tmp_path,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "case_file or runbook or next_step",
        *(
            f"tests/unit/core/diagnosis/{name}.py"
            for name in ("test_diagnosis", "test_runbooks", "test_pasting")
        ),
    )
    assert " passed" in said
