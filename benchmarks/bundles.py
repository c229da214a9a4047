"""How large functions are, and what they take to import as they are deployed.

The bundle is made for this machine's processor, where Lambda's wheels do not run, and
imported by Lambda's Python, if it is here.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from platform import machine

from local.stack import ROOT, synthesize
from stacks.constructs import bundle
from stacks.constructs.bundle import PULL, WITH_CONNECTOR, python_of_lambda

BUNDLES = {"pull": PULL, "freshness": WITH_CONNECTOR}
DATASETS = 1_000
DATASET = """\
description: made up
owner: {team: data-eng}
source: {client: {base_url: "https://api.example.com/"}, endpoint: {path: rows}}
schedule: {rate: 1 hour}
"""
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


def synthesis(folder: Path) -> str:
    """A sentence: what templates of many datasets take, and how large they are."""
    root, out = folder / "project", folder / "cdk.out"
    for name in ("environments", "apis"):
        shutil.copytree(ROOT / name, root / name)
    (root / "datasets").mkdir()
    for number in range(DATASETS):
        (root / "datasets" / f"dataset_{number}.yaml").write_text(DATASET)
    began, before = time.monotonic(), _cpu_of_children()
    synthesize(out, root=root, environment="prod")
    seconds, cpu = time.monotonic() - began, _cpu_of_children() - before
    templates = list(out.glob("*.template.json"))
    most = max(len(json.loads(one.read_text())["Resources"]) for one in templates)
    largest = max(one.stat().st_size for one in templates)
    return (
        f"Templates of {DATASETS:,} datasets: {seconds:.1f} s, {cpu:.1f} s of CPU; the "
        f"largest stack has {most} resources (CloudFormation takes 500), the largest "
        f"template {largest / 1e3:.0f} KB (1,000)."
    )


def _cpu_of_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


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
    place = Path(sys.argv[1])
    sys.stdout.write(f"{report(place)}\n\n{synthesis(place)}\n")
