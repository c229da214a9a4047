from __future__ import annotations

import pytest

from tests.soak.__main__ import main
from tests.soak.mutations import KINDS, MUTATIONS, broken
from tests.soak.simulation import simulate

SEEDS, CHUNK = 300, 30
MUTANT_SEEDS = 1_000


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_promise_is_broken_whatever_goes_wrong(first: int) -> None:
    broken_promises = {
        seed: outcome.violations
        for seed in range(first, first + CHUNK)
        if (outcome := simulate(seed)).violations
    }
    assert not broken_promises, "replay with: python -m tests.soak --seed N"


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_protocol_that_is_broken_on_purpose_is_caught(mutation: str) -> None:
    with broken(mutation) as hooks:
        caught = next(
            (
                seed
                for seed in range(MUTANT_SEEDS)
                if simulate(seed, hooks=hooks).violations
            ),
            None,
        )
    assert caught is not None, f"{MUTANT_SEEDS} seeds did not notice that {mutation}"


def test_each_mutation_is_of_one_kind_of_loss() -> None:
    assert sorted(MUTATIONS) == sorted(one for kind in KINDS.values() for one in kind)


def test_a_seed_replays_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    seed = 7
    first = simulate(seed, traced=True)
    again = simulate(seed, traced=True)
    assert first.trace == again.trace
    assert first.counts == again.counts
    assert main(["--seed", str(seed)]) == 0
    assert first.trace[-1] in capsys.readouterr().out


def test_a_soak_tells_what_it_injected_and_saw(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--seeds", "20"]) == 0
    told = capsys.readouterr().out
    for word in ("killed before an effect", "redeliveries", "segments", "none failed"):
        assert word in told


def test_a_failing_seed_is_named_and_fails_again_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with broken("the cursor moves before the uploads are completed") as hooks:
        monkeypatch.setattr(
            "tests.soak.__main__.simulate",
            lambda seed, **traced: simulate(seed, hooks=hooks, **traced),
        )
        assert main(["--seeds", "3"]) == 1
        named = capsys.readouterr().out.split("tests.soak --seed ")[1].split()[0]
        assert main(["--seed", named]) == 1
    assert f"seed {named}: the cursor is at" in capsys.readouterr().out
