"""The command line as a person and a script see it: output, exit codes, files."""

from __future__ import annotations

import ast
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from cli.main import Modules, first_sentence, run
from cli.one_machine.file_state import FileState
from lambdas.core.errors import RunErrorKind
from tests.api_server import Answer, ApiServer, Asked, answer_json, serving
from tests.unit.cli.files import DATASET, changed, folders

CATS = [
    {"id": n, "at": f"2013-01-{1 + n // 24:02d}T{n % 24:02d}:00:00Z", "big": 2**60 + n}
    for n in range(60)
]
CANARY = "hunter2-canary"


def cats(asked: Asked) -> Answer:
    if asked.headers.get("authorization") != f"Bearer {CANARY}":
        return Answer(status=401)
    at = int(asked.query.get("at", 0))
    since = asked.query.get("since", "")
    found = [cat for cat in CATS if str(cat["at"]) >= since]
    more = f"/cats.json?at={at + 25}&since={since}" if len(found) > at + 25 else None
    return answer_json({"rows": found[at : at + 25], "next": more})


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving(cats) as running:
        yield running


@pytest.fixture
def project(
    tmp_path: Path, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The options that name the folders of a project whose API is running."""
    monkeypatch.setenv("CATFLAP_SECRET_CATS_TOKEN", CANARY)
    api = (
        f"base_url: {server.url}\nauth: {{type: bearer, token: secret:cats#token}}\n"
        "paginator: {type: json_link, next_url_path: next}\nretry: {max_attempts: 1}\n"
    )
    datasets, apis = folders(tmp_path, apis={"cats.yaml": api})
    return ["--datasets", str(datasets), "--apis", str(apis)]


def pulled(
    project: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], *more: str
) -> tuple[int, dict[str, object], str]:
    capfd.readouterr()
    place = ["--to", f"file://{tmp_path}/landing", "--state", f"{tmp_path}/state.json"]
    code = run(["pull", "cats", *place, "--json", *project, *more])
    out, err = capfd.readouterr()
    return code, json.loads(out) if out else {}, err


def landed(tmp_path: Path) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for path in sorted((tmp_path / "landing").rglob("*.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def test_check_says_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets, apis = folders(tmp_path)
    assert run(["check", "--datasets", str(datasets), "--apis", str(apis)]) == 0
    out, err = capsys.readouterr()
    assert "1 dataset, 1 API: all valid" in out
    assert err == ""


def test_check_says_how_much_later_a_breaker_shows_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        f"{DATASET}\ncircuit_breaker: {{hold_at_most: {{count: 2, period: hour}}}}\n"
        "quality: [{metric: rowCount, mustBeGreaterThan: 0}]\n"
    )
    datasets, apis = folders(tmp_path, datasets={"cats.yaml": text})
    assert run(["check", "--datasets", str(datasets), "--apis", str(apis)]) == 0
    out, _ = capsys.readouterr()
    assert "\ncats: new rows show once their checks of severity error pass" in out
    assert "where those cannot run, up to 2 h later" in out


def test_check_reads_the_sql_of_a_dataset_that_is_faulty_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"""{DATASET}
quality:
  - {{metric: rowCount, mustBe: 1, filter: "nosuch = 1"}}
  - metric: references
    column: id
    arguments: {{dataset: dogs, column: id}}
    mustBe: 0
"""
    datasets, apis = folders(tmp_path, datasets={"cats.yaml": text})
    assert run(["check", "--datasets", str(datasets), "--apis", str(apis)]) == 2
    _, err = capsys.readouterr()
    told = [line.split(": ")[1] for line in err.splitlines() if "quality" in line]
    assert told == ["quality[0].filter", "quality[1].arguments.dataset"]


def test_check_tells_faults_on_stderr_and_as_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = changed(DATASET, "count: 3", "count: 0")
    datasets, apis = folders(tmp_path, datasets={"cats.yaml": text})
    options = ["--datasets", str(datasets), "--apis", str(apis)]
    assert run(["check", *options, "--json"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"{datasets}/cats.yaml:22: freshness.warn_after.count: ")
    document = json.loads(out)
    assert document["valid"] is False
    assert [one["line"] for one in document["faults"]] == [22]
    assert run(["check", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["purr"],
        ["check", "--colour"],
        ["pull", "cats"],
        ["preview", "cats", "--limit", "few"],
        ["diagnose"],
        ["check", "--datasets", "/nowhere/at/all"],
    ],
)
def test_bad_arguments_end_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err


@pytest.mark.parametrize(
    "command",
    ["check", "diff", "incident", "page", "report", "slack-manifest", "status", "try"],
)
def test_commands_in_which_models_play_a_part_take_their_folder(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--help"]) == 0
    assert "--models" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "preview", "pull", "diagnose"])
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: catflap {command}" in out
    assert "--datasets" in out
    assert "--json" in out


def test_preview_prints_rows_and_remembers_nothing(
    project: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert run(["preview", "cats", "--limit", "30", *project]) == 0
    out = capfd.readouterr().out
    assert [json.loads(line) for line in out.splitlines()] == CATS[:30]
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_dataset_names_the_nearest(
    project: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["preview", "cat", *project]) == 2
    assert "`cats`" in capsys.readouterr().err


def test_pull_lands_everything_once_and_prints_the_run(
    project: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, document, _ = pulled(project, tmp_path, capfd)
    assert code == 0
    assert list(document) == [
        "dataset", "run_id", "status", "rows", "bytes", "objects", "pages", "requests",
        "retries", "cursor_before", "cursor_after", "started_at", "finished_at",
        "error", "warnings",
    ]  # fmt: skip
    assert document["status"] == "succeeded"
    assert document["rows"] == 60
    assert document["cursor_before"] is None
    assert document["cursor_after"] == CATS[-1]["at"]
    assert document["error"] is None
    entry = document["objects"][0]  # type: ignore[index]  # a list, as JSON has it
    assert (tmp_path / "landing" / entry["key"]).stat().st_size == entry["bytes"]
    assert landed(tmp_path) == CATS
    code, document, _ = pulled(project, tmp_path, capfd)
    assert (code, document["rows"], document["objects"]) == (0, 0, [])
    assert landed(tmp_path) == CATS


def test_until_ends_a_pull_and_the_next_goes_on(
    project: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, document, _ = pulled(project, tmp_path, capfd, "--until", "2013-01-02")
    assert (code, document["rows"]) == (0, 24)
    code, document, _ = pulled(project, tmp_path, capfd)
    assert (code, document["rows"]) == (0, 36)
    assert landed(tmp_path) == CATS


def test_a_window_leaves_the_cursor(
    project: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    window = ("--window", "2013-01-01T05:00:00Z", "2013-01-01T07:00:00Z")
    code, document, _ = pulled(project, tmp_path, capfd, *window)
    assert (code, document["rows"]) == (0, 2)
    assert document["cursor_after"] is None
    code, document, _ = pulled(project, tmp_path, capfd)
    assert (code, document["rows"]) == (0, 60)


def test_a_window_over_what_landed_needs_merge(
    project: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = changed(DATASET, "write_disposition: merge", "write_disposition: append")
    (tmp_path / "datasets" / "cats.yaml").write_text(text)
    pulled(project, tmp_path, capfd)
    window = ("--window", "2013-01-01T05:00:00Z", "2013-01-01T07:00:00Z")
    code, document, err = pulled(project, tmp_path, capfd, *window)
    assert (code, document) == (2, {})
    assert "merge" in err
    assert landed(tmp_path) == CATS


@pytest.mark.parametrize(
    "options",
    [
        ["--until", "soon"],
        ["--until", "2013-01-02T00:00:00"],
        ["--window", "2013-01-02T00:00:00Z", "2013-01-01T00:00:00Z"],
        ["--until", "2013-01-02", "--window", "2013-01-01", "2013-01-02"],
        ["--to", "ftp://example.com/x"],
        ["--to", "file://elsewhere/x"],
        ["--to", "s3://"],
        ["--to", "s3:///folder"],
        ["--to", "file:folder"],
        ["--to", ""],
    ],
)
def test_a_bound_or_place_that_makes_no_sense_is_bad_input(
    project: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    code, document, err = pulled(project, tmp_path, capfd, *options)
    assert (code, document) == (2, {})
    assert "accepted" in err or "must be before" in err or "exclude" in err


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("file://{root}/a%20b", "a b"),
        ("file://{root}/a b", "a b"),
        ("file://{root}/a%25b", "a%b"),
        ("file://{root}/a%23b", "a#b"),
        ("file://{root}/a#b", "a#b"),
        ("file://{root}/a?b=c", "a?b=c"),
        ("file://localhost{root}/a", "a"),
        ("FILE://{root}/a/", "a"),
        ("{root}/a", "a"),
    ],
)
def test_a_place_is_the_folder_it_names(
    project: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    uri: str,
    folder: str,
) -> None:
    code, _, _ = pulled(
        project, tmp_path, capfd, "--to", uri.replace("{root}", str(tmp_path))
    )
    assert code == 0
    assert [one.name for one in tmp_path.glob("*/raw")] == ["raw"]
    assert (tmp_path / folder / "raw/cats").is_dir()


def test_a_failed_run_is_printed_and_ends_with_3(
    project: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CATFLAP_SECRET_CATS_TOKEN", "wrong-canary")
    code, document, err = pulled(project, tmp_path, capfd)
    assert code == 3
    assert document["status"] == "failed"
    assert document["error"]["kind"] == RunErrorKind.AUTH.value  # type: ignore[index]
    assert "wrong-canary" not in str(document) + err
    assert landed(tmp_path) == []
    monkeypatch.delenv("CATFLAP_SECRET_CATS_TOKEN")
    code, document, err = pulled(project, tmp_path, capfd)
    assert code == 3
    assert "CATFLAP_SECRET_CATS_TOKEN" in str(document["error"])


def test_a_second_pull_at_once_is_told_so(
    project: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with FileState(path=tmp_path / "state.json"):
        code, document, err = pulled(project, tmp_path, capfd)
    assert (code, document) == (3, {})
    assert "another pull" in err


def test_an_unexpected_error_is_one_line(
    project: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("cli.commands.check._document", broken)
    assert run(["check", *project, "--json"]) == 3
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "ZeroDivisionError" in err
    assert CANARY not in err
    assert run(["check", *project, "--json", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def catflap(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_help_and_diagnose_load_nothing_heavy() -> None:
    program = (
        "import sys; from cli.main import run\n"
        "assert run(['--help']) == 0\n"
        "run(['diagnose', '--signals', '/nowhere'])\n"
        "heavy = ('boto3', 'urllib3', 'yaml', 'snowflake', 'rich', 'holidays')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_pull_loads_nothing_that_only_others_need() -> None:
    program = (
        "import sys, cli.commands.pull\n"
        "others = ('boto3', 'botocore', 'rich', 'sqlglot', 'lambdas.core.incidents',\n"
        "          'lambdas.core.diagnosis.causes', 'lambdas.core.quality.result',\n"
        "          'lambdas.core.reports')\n"
        "print([name for name in others if name in sys.modules])\n"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_reader_who_has_had_enough_is_no_error(project: list[str]) -> None:
    command = [sys.executable, "-m", "cli", "preview", "cats", "--limit", "60"]
    with subprocess.Popen(  # noqa: S603 - our own program
        [*command, *project], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=120) == 0
        assert process.stderr.read() == b""


def test_an_interruption_ends_with_130_and_lands_nothing(
    tmp_path: Path, project: list[str]
) -> None:
    asked = False

    def slow(_: Asked) -> Answer:
        nonlocal asked
        asked = True
        return Answer(fault="hang")

    with serving(slow) as server:
        (tmp_path / "apis" / "cats.yaml").write_text(f"base_url: {server.url}\n")
        place = ["--to", str(tmp_path / "landing"), "--state", str(tmp_path / "s.json")]
        with subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "cli", "pull", "cats", *place, *project],
            stderr=subprocess.PIPE,
            env={**os.environ},
        ) as process:
            deadline = time.monotonic() + 120
            while not asked and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=120) == 130
            assert process.stderr is not None
            assert b"Traceback" not in process.stderr.read()
    assert landed(tmp_path) == []


def test_a_verdict_comes_from_standard_input() -> None:
    done = catflap("diagnose", "--signals", "-", stdin="{")
    assert done.returncode == 2
    assert done.stdout == ""


# imported here: some modules set variables, and a test may leave none behind
COMMANDS = dict(Modules())


def test_every_command_declares_itself_in_its_own_module(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = sorted(COMMANDS)
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out.split("Commands:\n")[1]
    assert [
        line.split()[0] for line in listed.splitlines() if line[2:3] != " "
    ] == names
    for name in names:
        assert run([name, "--help"]) == 0
        out = capsys.readouterr().out
        assert first_sentence(name) in " ".join(out.split())
        assert f"Example: catflap {name}" in out


def test_no_command_takes_an_option_that_it_does_not_use() -> None:
    for path in Path("cli/commands").glob("[a-z]*.py"):
        tree = ast.parse(path.read_text())
        (declared,) = (
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == "run"
        )
        taken = {one.arg for one in (*declared.args.args, *declared.args.kwonlyargs)}
        used = {
            node.id
            for line in declared.body
            for node in ast.walk(line)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        assert taken <= used, path


def test_the_version_is_the_one_that_is_installed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"catflap {version('catflap')}\n"


def test_debug_shows_the_traceback_wherever_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["check", "--datasets", str(tmp_path / "nowhere")]
    assert run(asked) == 2
    assert "Traceback" not in capsys.readouterr().err
    for line in (["--debug", *asked], [*asked, "--debug"]):
        assert run(line) == 2
        assert "Traceback" in capsys.readouterr().err


def test_completion_knows_the_commands(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "--install-completion", "bash"],
        env={
            **os.environ,
            "HOME": str(tmp_path),
            # whatever shell runs the tests
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "bash completion installed" in done.stdout
    assert list((tmp_path / ".bash_completions").glob("catflap*"))
