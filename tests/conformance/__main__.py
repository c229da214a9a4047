"""``make differential``: the same sources through dlt and catflap, rows compared.

Ends with 1 if they differ where no case explains it, or agree where one says they do
not. What was found is kept in `tests/conformance/README.md`.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from benchmarks.__main__ import peers
from cli.main import run
from tests.api_server import serving
from tests.conformance.cases import CASES, App, Case

HERE = Path(__file__).parent
SCRIPT = HERE.parents[1] / "benchmarks" / "peers" / "dlt_rows.py"
RECORD = HERE / "README.md"
ERROR = "an error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one contender made of a case: its rows, or None for an error."""

    rows: list[str] | None
    error: str = field(default="", compare=False)

    @property
    def told(self) -> str:
        """For the table."""
        return ERROR if self.rows is None else f"{len(self.rows)} rows"


def _canonical(row: str | bytes) -> str:
    """Every number as it was written, names in order."""
    document = json.loads(row, parse_float=Decimal, parse_int=Decimal)
    return json.dumps(document, sort_keys=True, default=str)


def by_catflap(case: Case, folder: Path) -> Outcome:
    """Through the command, with its commit protocol and state."""
    (folder / "datasets").mkdir(parents=True)
    with serving_case(case) as server:
        for number in range(case.pulls):
            document = {
                "description": case.name,
                "owner": {"team": "conformance"},
                "source": {
                    "client": {
                        "base_url": server,
                        "headers": {"X-Pull": str(number)},
                        "retry": {"max_attempts": 1},
                    },
                    "endpoint": {"path": "cats", **case.endpoint},
                },
                "schedule": {"rate": "1 day"},
            }
            (folder / "datasets/cats.yaml").write_text(json.dumps(document))
            code = run(
                [
                    *["pull", "cats", "--datasets", str(folder / "datasets")],
                    *["--apis", str(folder / "apis"), "--json"],
                    *["--to", (folder / "landing").as_uri()],
                    *["--state", str(folder / "state.json")],
                ]
            )
            if code != 0:
                return Outcome(rows=None)
    lines = [
        line
        for one in (folder / "landing").glob("raw/**/*.gz")
        for line in gzip.decompress(one.read_bytes()).splitlines()
    ]
    return Outcome(rows=sorted(map(_canonical, lines)))


class Dlt:
    """dlt in its own venv: one process for all cases."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own script
            [str(python), str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def rows(self, case: Case, folder: Path) -> Outcome:
        """What dlt makes of `case`."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        folder.mkdir(parents=True)
        with serving_case(case) as server:
            job = {
                "base_url": server,
                "endpoint": case.endpoint,
                "pulls": case.pulls,
                "folder": str(folder),
            }
            print(json.dumps(job), file=stdin, flush=True)
            answer = json.loads(stdout.readline())
        rows = answer.get("rows")
        if rows is None:
            return Outcome(rows=None, error=answer["error"])
        return Outcome(rows=sorted(map(_canonical, rows)))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@contextmanager
def serving_case(case: Case) -> Iterator[str]:
    """The base URL of a server of `case`, which knows its own origin."""
    made: list[App] = []
    with serving(lambda asked: made[0](asked)) as server:  # noqa: PLW0108 - made later
        made.append(case.app(server.origin))
        yield server.url


def main() -> int:
    """Compare, print, record. Returns the exit code."""
    started = time.monotonic()
    dlt = Dlt(peers())
    lines, wrong = [], 0
    with tempfile.TemporaryDirectory(prefix="catflap-differential-") as name:
        for number, case in enumerate(CASES):
            ours = by_catflap(case, Path(name, f"ours-{number}"))
            theirs = dlt.rows(case, Path(name, f"dlt-{number}"))
            same = ours == theirs
            fine = same != bool(case.because)
            wrong += not fine
            found = "the same" if same else "other"
            lines.append(
                f"| {case.name} | {theirs.told} | {ours.told} | {found} | "
                f"{case.because} |"
            )
            sys.stderr.write(f"{'ok ' if fine else 'NOT'} {lines[-1]}\n")
            if not fine:
                sys.stderr.write(f"    dlt  {theirs}\n    ours {ours}\n")
    dlt.close()
    took = time.monotonic() - started
    sys.stderr.write(f"{len(CASES)} cases, {wrong} unexplained, {took:.0f} s\n")
    if not wrong:
        RECORD.write_text(page(lines))
    return 1 if wrong else 0


def page(lines: list[str]) -> str:
    """The record."""
    head = RECORD.read_text().partition("<!-- results -->")[0]
    table = [
        "<!-- results -->",
        "| source | dlt | catflap | rows are | why |",
        "|---|---|---|---|---|",
        *lines,
    ]
    return head + "\n".join(table) + "\n"


if __name__ == "__main__":
    sys.exit(main())
