from __future__ import annotations

from tests.conformance.__main__ import RECORD
from tests.conformance.cases import CASES


def test_every_case_beside_dlt_is_recorded_with_its_reason() -> None:
    recorded = {
        row.split(" | ")[0].removeprefix("| "): row
        for row in RECORD.read_text().splitlines()
        if row.startswith("| ") and not row.startswith("| source")
    }
    assert set(recorded) == {case.name for case in CASES}
    for case in CASES:
        found = "other" if case.because else "the same"
        assert recorded[case.name].endswith(f"| {found} | {case.because} |")
