"""`python -m tests.month --seeds N`: months, or `--seed N`: one, with every message."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.month.simulation import simulate
from tests.state_table import TableInMemory


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if no rule was broken, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.month", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one, with every message")
    parser.add_argument("--days", type=float, default=30, help="how long a month is")
    parser.add_argument(
        "--kills", type=float, default=0.02, help="the share of deliveries that die"
    )
    options = parser.parse_args(arguments)
    logging.getLogger("catflap").setLevel(logging.ERROR)
    seeds = range(options.first, options.first + options.seeds)
    traced = options.seed is not None
    failed = 0
    messages: Counter[int] = Counter()
    for seed in [options.seed] if traced else seeds:
        begun_s = time.perf_counter()
        outcome = simulate(
            seed,
            TableInMemory(),
            days=options.days,
            kills=options.kills,
            traced=traced,
        )
        messages.update(outcome.messages)
        _say("\n".join(outcome.trace))
        for violation in outcome.violations:
            _say(f"seed {seed}: {violation}")
        failed += bool(outcome.violations)
        counts = ", ".join(f"{key} {n}" for key, n in sorted(outcome.counts.items()))
        _say(f"seed {seed}: {time.perf_counter() - begun_s:.0f} s: {counts}")
    told = ", ".join(f"{n} × {many}" for many, n in sorted(messages.items()))
    _say(f"incidents × messages of each: {told}; {failed or 'no'} seeds failed")
    return 1 if failed else 0


def _say(text: str) -> None:
    if text:
        sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
