"""`python -m tests.soak --seeds N`: a long soak, or `--seed N`: one seed, told."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.soak.faults import Fault, Mishap
from tests.soak.simulation import simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every promise was kept, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay this one, and tell its story")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return replay(options.seed)
    return soak(range(options.first, options.first + options.seeds))


def replay(seed: int) -> int:
    """Print everything that happened in one seed."""
    outcome = simulate(seed, traced=True)
    _say("\n".join(outcome.trace))
    _print_counts(outcome.counts)
    for violation in outcome.violations:
        _say(f"seed {seed}: {violation}")
    return 1 if outcome.violations else 0


def soak(seeds: range) -> int:
    """Run many; print each that failed, and what all of them saw."""
    begun_s = time.perf_counter()
    counts: Counter[str] = Counter()
    failed = 0
    for seed in seeds:
        outcome = simulate(seed)
        counts.update(outcome.counts)
        if outcome.violations:
            failed += 1
            _say(f"seed {seed} failed: {outcome.violations[0]}")
            _say(f"  python -m tests.soak --seed {seed}")
    took_s = time.perf_counter() - begun_s
    _print_counts(counts)
    _say(
        f"{len(seeds):,} seeds in {took_s:.1f} s ({len(seeds) / took_s:.0f} a second): "
        f"{failed or 'none'} failed"
    )
    return 1 if failed else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _print_counts(counts: Counter[str]) -> None:
    injected = [*Fault, *Mishap]
    _say("injected:")
    for kind in injected:
        _say(f"  {counts[kind]:>10,}  {kind}")
    _say("seen:")
    for name in sorted(set(counts) - {str(kind) for kind in injected}):
        _say(f"  {counts[name]:>10,}  {name}")


if __name__ == "__main__":
    logging.disable()  # of this process alone: a test calls `main` in its own
    sys.exit(main())
