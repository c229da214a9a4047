"""`catflap diagnose --signals`: documents in, verdicts out, exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from cli.commands.diagnose import of_file, verdicts_of
from cli.documents import verdict_as_text
from lambdas.core.diagnosis.signals import signals_from_json
from lambdas.core.diagnosis.verdict import diagnose
from lambdas.core.errors import BadInput
from tests.unit.core.diagnosis.signal_documents import (
    BEHIND,
    HEALTHY,
    QUIET,
    ago,
    changed,
)


def written(folder: Path, text: str) -> str:
    path = folder / "signals.json"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_pretty_printed_document_is_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path, "\n" + json.dumps(HEALTHY, indent=2) + "\n")

    assert of_file(source, as_json=True) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["state"] == "pass"
    assert printed.err == ""


def test_one_document_a_line_gives_one_verdict_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = [HEALTHY, QUIET, BEHIND]
    source = written(tmp_path, "\n\n".join(map(json.dumps, documents)) + "\n")

    assert of_file(source, as_json=True) == 1
    lines = capsys.readouterr().out.splitlines()
    causes = [json.loads(line)["cause"] for line in lines]
    assert causes == [None, "upstream_quiet", "pulled_nothing"]


def test_standard_input_is_read_for_a_dash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = io.BytesIO(b"\xef\xbb\xbf" + json.dumps(QUIET).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw))

    assert of_file("-", as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["cause"] == "upstream_quiet"


def test_faults_of_all_documents_are_listed_and_no_verdict_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = changed(HEALTHY, {"now": "2026-11-23T09:00:00", "table.row_count": "5"})
    lines = [json.dumps(HEALTHY), json.dumps(bad), "{oops", "[]"]
    source = written(tmp_path, "\n".join(lines))

    assert of_file(source, as_json=True) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    faults = printed.err.splitlines()
    assert [fault.removeprefix(f"{source}: ")[:7] for fault in faults] == [
        "line 2:",
        "line 2:",
        "line 3:",
        "line 4:",
    ]
    assert "now: " in faults[0]
    assert "table.row_count: " in faults[1]


@pytest.mark.parametrize("text", ["", " \n ", "{", "[1,\n2]", '{"dataset": 1}\n', "7"])
def test_bad_input_ends_with_two(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert of_file(written(tmp_path, text), as_json=False) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "line 1: " in printed.err


def test_a_broken_pretty_printed_document_is_one_fault() -> None:
    text = json.dumps(HEALTHY, indent=2)[:-30]

    with pytest.raises(BadInput) as caught:
        verdicts_of(text)
    assert len(str(caught.value).splitlines()) == 1


def test_nesting_without_end_is_a_fault_and_not_a_crash() -> None:
    with pytest.raises(BadInput):
        verdicts_of('{"a":\n' * 100_000)


def test_a_missing_file_and_foreign_bytes_are_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "latin1.json"
    foreign.write_bytes(b'{\n"dataset": "caf\xe9"}')

    assert of_file(str(tmp_path / "none.json"), as_json=True) == 2
    assert of_file(str(foreign), as_json=True) == 2
    assert "line 2: the text is not UTF-8" in capsys.readouterr().err


def test_a_line_separator_inside_a_string_ends_no_line(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            changed(HEALTHY, {"load.first_error": "a\u2028b"}), ensure_ascii=False
        )
    ] * 2

    assert of_file(written(tmp_path, "\n".join(lines)), as_json=True) == 0


def test_a_person_reads_cause_next_step_and_when_it_is_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_file(written(tmp_path, json.dumps(BEHIND)), as_json=False)
    of_file(written(tmp_path, json.dumps(QUIET)), as_json=False)
    printed = capsys.readouterr().out

    assert "pulled_nothing (pull): docs/runbooks/pulled_nothing.md" in printed
    assert "engineers, stakeholders (page)" in printed
    assert "not known yet" in printed
    assert "we ask again at 2026-11-23 09:55Z" in printed


def test_control_characters_never_reach_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = changed(
        BEHIND, {"load.status": "Load failed", "load.first_error": "\x1b[2J"}
    )
    of_file(written(tmp_path, json.dumps(hostile)), as_json=False)

    assert "\x1b" not in capsys.readouterr().out


def test_a_person_reads_when_it_is_expected_or_when_we_ask_again() -> None:
    quiet = verdict_as_text(diagnose(signals_from_json(json.dumps(QUIET))))
    assert "we ask again at 2026-11-23 09:55Z" in quiet
    failed = {"pull.last_run.status": "failed", "pull.last_run.error": "auth"}
    at_risk = changed(HEALTHY, {**failed, "policy.late_at": ago(-7200)})
    shown = verdict_as_text(diagnose(signals_from_json(json.dumps(at_risk))))
    assert "late at 2026-11-23 11:00Z if nothing comes" in shown
