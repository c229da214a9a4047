"""``make bench``: the same work by catflap and by others, in turn.

A pull: all 336,776 flights of 2013 (104 MB of JSON in 337 pages) from a loopback API to
a compressed file, by catflap, dlt, singer-sdk and a bare loop, each a whole process.

A check of freshness: see `benchmarks.freshness`. Quality checks: see
`benchmarks.quality`. Answers of odd shapes: see `benchmarks.shapes`.

The results go to `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import bundles, freshness, quality, shapes
from benchmarks.measure import Measurement, interleaved, weigh

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = ROOT / ".venv-peers"
RESULTS = HERE / "RESULTS.md"
LONG = 10

DATASET = """\
description: Every flight that left New York in 2013
owner: {team: bench}
source:
  client:
    base_url: %s
    paginator: {type: json_link, next_url_path: next_url}
  endpoint:
    path: flights?page=0
    data_selector: rows
    incremental: {cursor_path: time_hour, initial_value: "2013-01-01T00:00:00Z"}
primary_key: [id]
write_disposition: merge
schedule: {rate: 1 day}
"""


@contextmanager
def serving(copies: int) -> Iterator[str]:
    """The API with `copies` of all flights; yields its base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.api", str(copies)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        port, size = line.split()
        print(f"  serving {int(size) / 1e6:,.0f} MB on 127.0.0.1:{port}", flush=True)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.communicate()


def peers() -> Path:
    """The peers' Python, in a venv of its own, installed from its hashed lock."""
    python = PEERS / "bin" / "python"
    if not (PEERS / "bin" / "dbt").exists():
        uv = [sys.executable, "-m", "uv"]
        print("  installing the peers", flush=True)
        subprocess.run([*uv, "venv", "--quiet", "--clear", str(PEERS)], check=True)
        lock = str(HERE / "requirements.txt")
        subprocess.run(
            [
                *[*uv, "pip", "install", "--quiet", "--python", str(python)],
                # one of dbt's is built from what its build downloads, and not needed
                *["--no-deps", "--require-hashes", "-r", lock],
            ],
            check=True,
        )
    return python


def catflap(base_url: str, folder: Path) -> Callable[[int], Measurement]:
    """Our contender: the command, with its commit protocol and its state."""
    datasets = folder / "datasets"
    datasets.mkdir(parents=True, exist_ok=True)
    (folder / "apis").mkdir(exist_ok=True)
    (datasets / "flights.yaml").write_text(DATASET % base_url)

    def run(number: int) -> Measurement:
        out = folder / f"landing-{number}"
        command = [
            *[str(Path(sys.executable).parent / "catflap"), "pull", "flights"],
            *["--datasets", str(datasets), "--apis", str(folder / "apis"), "--json"],
            *["--to", out.as_uri(), "--state", str(folder / f"state-{number}.json")],
        ]
        weight = weigh(command, folder / "catflap.log")
        shutil.rmtree(out)
        return weight

    return run


def peer(script: str, url: str, folder: Path) -> Callable[[int], Measurement]:
    """A contender among the peers: a script that takes a URL and a place."""
    python = str(peers())

    def run(number: int) -> Measurement:
        place = folder / f"{script}-{number}"
        command = [python, str(HERE / "peers" / f"{script}.py"), url, str(place)]
        weight = weigh(command, folder / f"{script}.log")
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        return weight

    return run


def measured() -> str:
    """When and where, and how to read the figures."""
    load, cores = os.getloadavg()[1], os.cpu_count() or 1
    # the contenders' own work makes for about one
    shared = (
        f" Others were at work on the machine, too (load {load:.0f}): seconds are "
        "long, for all alike."
        if load > cores + 1
        else ""
    )
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} on "
        f"{platform.node() or 'a machine'} ({os.cpu_count()} cores, "
        f"{platform.machine()}, Python {platform.python_version()}), by `make "
        "bench`: medians of interleaved runs, each a whole process from its start "
        f"to its end.{shared}"
    )


def flights_report(short: dict[str, Measurement], long: Measurement) -> str:
    """The first row's section."""
    ours = short["catflap"]
    lines = [
        measured(),
        "",
        (
            "| 336,776 flights, 104 MB of JSON, 337 pages | seconds | peak MB "
            "| catflap's time is |"
        ),
        "|---|---|---|---|",
    ]
    for name, weight in short.items():
        ratio = ours.seconds / weight.seconds
        told = "" if name == "catflap" else f"{ratio:.2f} × (1/{1 / ratio:.1f})"
        lines.append(
            f"| {name} | {weight.seconds:.2f} | {weight.megabytes:.0f} | {told} |"
        )
    growth = long.megabytes / ours.megabytes - 1
    lines += [
        "",
        (
            f"Ten times as many flights: {long.seconds:.1f} s, {long.megabytes:.0f} MB "
            f"({growth:+.0%})."
        ),
    ]
    return "\n".join(lines)


def flights(rounds: int, folder: Path) -> str:
    """Pull the flights."""
    with serving(1) as base_url:
        url = f"{base_url}flights?page=0"
        short = interleaved(
            {
                "catflap": catflap(base_url, folder),
                "bare loop": peer("bare_loop", url, folder),
                "dlt": peer("dlt_flights", url, folder),
                "singer-sdk": peer("singer_flights", url, folder),
            },
            rounds=rounds,
        )
    with serving(LONG) as base_url:
        long = catflap(base_url, folder / "long")(0)
    return flights_report(short, long)


def judging(rounds: int, folder: Path) -> str:
    """Judge the freshness of many datasets."""
    found = freshness.compared(
        peers(), folder / "judging", count=freshness.COUNT, rounds=rounds
    )
    many = freshness.many(folder / "many", count=freshness.MANY)
    return f"{measured()}\n\n{freshness.report(found, many)}"


def checking(rounds: int, folder: Path) -> str:
    """Check the quality of many tables."""
    found = quality.compared(peers(), folder / "quality", rounds=rounds)
    told, _, shared = measured().partition(", each a whole process")
    return f"{told}.{shared.partition('.')[2]}\n\n{found}"


def reading(rounds: int, folder: Path) -> str:
    """Read answers whose shape used to burn CPU."""
    del rounds, folder
    told = measured().partition(": medians")[0]
    return (
        f"{told}: CPU time in one process, the best of {shapes.RUNS} runs.\n\n"
        f"{shapes.report()}"
    )


def importing(rounds: int, folder: Path) -> str:
    """Import the functions as they are deployed."""
    del rounds
    told = measured().partition(": medians")[0]
    return (
        f"{told}: CPU time, the best of {bundles.RUNS} imports.\n\n"
        f"{bundles.report(folder)}\n\n{bundles.synthesis(folder)}"
    )


SECTIONS: Mapping[str, Callable[[int, Path], str]] = {
    "Pulling": flights,
    "Judging freshness": judging,
    "Quality checks": checking,
    "Shapes of answers": reading,
    "Cold imports": importing,
}


def kept(page: str, title: str, section: str) -> str:
    """`page` with its section called `title` anew; a new one stands at the end."""
    parts = page.split("\n## ")
    head = parts[0].rstrip() if page.strip() else "# Results"
    sections = {
        part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts[1:]
    }
    sections[title] = section.strip()
    return (
        "\n\n".join([head, *(f"## {name}\n{text}" for name, text in sections.items())])
        + "\n"
    )


def main() -> None:
    """Run, print, and keep the results."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", choices=["pulling", "judging", "quality", "shapes", "cold"]
    )
    given = parser.parse_args()
    for title, run in SECTIONS.items():
        if given.only and not title.lower().startswith(given.only):
            continue
        with tempfile.TemporaryDirectory(prefix="catflap-bench-") as name:
            section = run(given.rounds, Path(name))
        print(f"## {title}\n{section}\n", flush=True)
        RESULTS.write_text(kept(RESULTS.read_text(), title, section))


if __name__ == "__main__":
    main()
