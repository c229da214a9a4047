"""How large functions are, and what they take to import as they are deployed.

The bundle is made for this machine's processor, where Lambda's wheels do not run, and
imported by Lambda's Python, if it is here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from platform import machine

from stacks.constructs import bundle
from stacks.constructs.bundle import LOCK, SNOWFLAKE_LOCK, Bundle, python_of_lambda

BUNDLES = {
    "pull": Bundle(slices=("pull",), lock=LOCK),
    "freshness": Bundle(
        slices=("freshness", "repair", "warehouse"), lock=SNOWFLAKE_LOCK
    ),
}
RUNS = 5
_TIMED = (
    "import sys, time; sys.path.insert(0, sys.argv[1]); began = time.process_time(); "
    "__import__(sys.argv[2]); print(time.process_time() - began)"
)


def report(folder: Path) -> str:
    """A table: a row a function."""
    python = python_of_lambda()
    if python is None:
        return f"No Python {bundle.PYTHON_VERSION} is here: nothing was imported."
    lines = [
        (
            "| function | MB unzipped | of these boto3 | import, CPU s, with bytecode "
            "| without |"
        ),
        "|---|---|---|---|---|",
    ]
    for name, one in BUNDLES.items():
        target = folder / name
        one.write(target, platform=f"{machine()}-manylinux_2_28")
        whole, ours = _megabytes(target), _megabytes(target / "botocore")
        quick = _seconds(python, target, name)
        for cached in target.rglob("*.pyc"):
            cached.unlink()
        slow = _seconds(python, target, name)
        lines.append(
            f"| {name} | {whole:.0f} | {ours:.0f} | {quick:.2f} | {slow:.2f} |"
        )
    return "\n".join(lines)


def _megabytes(folder: Path) -> float:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) / 1e6


def _seconds(python: str, target: Path, name: str) -> float:
    command = [
        python, "-I", "-B", "-c", _TIMED, str(target), f"lambdas.{name}.handler",
    ]  # fmt: skip
    return min(
        float(
            subprocess.run(command, capture_output=True, text=True, check=True).stdout
        )
        for _ in range(RUNS)
    )


if __name__ == "__main__":
    sys.stdout.write(report(Path(sys.argv[1])) + "\n")
