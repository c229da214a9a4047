"""A trial's folder is its own while it lives, and nobody's afterwards."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from local.trial.workspace import is_in_use, leftovers, remove, workspace

NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)

HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from local.trial.workspace import workspace
with workspace(Path(sys.argv[1]), now=datetime(2026, 11, 28, tzinfo=UTC), keep=False):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_folder_goes_with_its_trial(tmp_path: Path) -> None:
    with workspace(tmp_path, now=NOW, keep=False) as folder:
        assert folder.is_dir()
        assert is_in_use(folder)
        assert leftovers(tmp_path) == []

    assert not folder.exists()


def test_a_folder_that_is_kept_is_left_for_clean(tmp_path: Path) -> None:
    with workspace(tmp_path, now=NOW, keep=True) as folder:
        pass

    (found,) = leftovers(tmp_path)
    assert (found.path, found.is_kept) == (folder, True)
    remove(found)
    assert leftovers(tmp_path) == []


def test_git_sees_nothing_of_it(tmp_path: Path) -> None:
    with workspace(tmp_path, now=NOW, keep=False):
        assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_what_a_killed_trial_leaves_is_found_with_its_pid(tmp_path: Path) -> None:
    held = subprocess.Popen(  # noqa: S603 - this interpreter, and the text above
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with held:
        assert held.stdout is not None
        assert held.stdout.readline() == "ready\n"
        assert leftovers(tmp_path) == []
        held.kill()
        held.wait()

    (found,) = leftovers(tmp_path)
    assert (found.pid, found.is_kept) == (held.pid, False)
    assert found.started_at == "2026-11-28T00:00:00+00:00"
