"""`check` looks at Python sources in a child that can do no harm."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cli.main import run
from cli.sandbox import look_at

GOOD = "def pages(context):\n    yield []\n"
ALONE = "accepted: a file that only defines"


def said(root: Path, code: str, reference: str = "sources/own.py:pages") -> str | None:
    (root / "sources").mkdir(exist_ok=True)
    (root / "sources/own.py").write_text(code)
    return look_at(reference, root=root).sentence


def test_a_generator_of_pages_is_fine(tmp_path: Path) -> None:
    assert said(tmp_path, GOOD) is None
    code = "print('hello')\nfrom sources import other\n" + GOOD
    (tmp_path / "sources/other.py").write_text("import decimal, json, urllib.request\n")
    assert said(tmp_path, code) is None


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def pages(context:\n", "sources/own.py:1: SyntaxError"),
        ("\nimport nothing_like_it\n" + GOOD, "sources/own.py:2: ModuleNotFoundError"),
        ("x = 1\n1 / 0\n" + GOOD, "sources/own.py:2: ZeroDivisionError"),
        ("def rows(context): yield\n", "no function `pages`; there: rows"),
        ("def pages(): yield\n", "sources/own.py:1: `pages` has to take one argument"),
        ("def pages(context): pass\n", "sources/own.py:1: `pages` yields nothing"),
        ("async def pages(context): yield\n", "`pages` is async"),
        ("import sys\nsys.exit(3)\n", "sources/own.py:2: SystemExit"),
        ("import os\nos._exit(3)\n", "ended Python (status 3)"),
        (
            "open('/tmp/own', 'w')\n",
            f"does `open for writing` while it is imported; {ALONE}",
        ),
        ("import subprocess\nsubprocess.run(['true'])\n", "does `subprocess.Popen`"),
        ("import os\nos.remove('/tmp/none')\n", "does `os.remove`"),
        ("import time\ntime.sleep(1000)\n", "sources/own.py:2: does `time.sleep`"),
        ("x = ' ' * 3_000_000_000\n", "MemoryError"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    code: str, says: str, tmp_path: Path
) -> None:
    assert says in str(said(tmp_path, code))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "there is no sources/other.py" in str(
        said(tmp_path, GOOD, "sources/other.py:pages")
    )


def test_an_import_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.sandbox.CPU_SECONDS", 1)
    assert "was not imported within" in str(said(tmp_path, "while True: pass\n"))
    monkeypatch.setattr("cli.sandbox.WAIT_SECONDS", 1)
    waits = "import threading\nthreading.Event().wait()\n"
    assert "was not imported within" in str(said(tmp_path, waits))


def test_what_our_own_modules_cost_is_not_taken_from_the_file(tmp_path: Path) -> None:
    code = "import resource\nassert resource.getrlimit(resource.RLIMIT_CPU)[0] > 10\n"
    assert said(tmp_path, code + GOOD) is None


def test_an_import_reaches_no_network_and_sees_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATFLAP_SECRET_CATS_TOKEN", "canary")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port = server.getsockname()[1]
        code = f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}')\n"
        assert "sources/own.py:2" in str(said(tmp_path, code))
        with pytest.raises(BlockingIOError):
            server.accept()
    code = "import os\nassert 'CATFLAP_SECRET_CATS_TOKEN' not in os.environ\n" + GOOD
    assert said(tmp_path, code) is None


DATASET = """\
description: Every cat
owner: {team: data-eng}
source:
  options: {kind: all}
  python: %s
schedule: {rate: 1 hour}
"""


@pytest.mark.parametrize(
    ("python", "says"),
    [
        ("sources/own.py:pages", "sources/own.py:1: `pages` yields nothing"),
        ("sources/none.py:pages", "there is no sources/none.py"),
        ("../own.py:pages", "accepted: sources/FILE.py:NAME"),
        ("sources/../own.py:pages", "accepted: sources/FILE.py:NAME"),
        ("own", "accepted: sources/FILE.py:NAME"),
    ],
)
def test_check_says_it_at_the_line_of_the_dataset(
    python: str, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/own.py").write_text("def pages(context): pass\n")
    path = tmp_path / "datasets/cats.yaml"
    path.write_text(DATASET % python)
    folders = ["--datasets", f"{tmp_path}/datasets", "--apis", f"{tmp_path}/apis"]
    assert run(["check", *folders]) == 2
    err = capfd.readouterr().err
    assert err.startswith(f"{path}:5: source.python: ")
    assert says in err
