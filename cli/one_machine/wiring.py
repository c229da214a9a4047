"""Sources of datasets, as the commands of one machine open them."""

from __future__ import annotations

from pathlib import Path

from cli.one_machine.environment_secrets import EnvironmentSecrets
from lambdas.adapters.environment import SystemClock, variables
from lambdas.adapters.sources.open import ApiSources
from lambdas.adapters.sources.rate_budget import Budgets
from lambdas.core.source.fan_out import Parents

PATIENCE_S = 30 * 86_400.0
"""A person ends a command; a function ends by its time limit."""


def sources(
    clock: SystemClock,
    *,
    datasets: Path,
    parents: Parents,
    budgets: Budgets,
    ahead: bool = True,
) -> ApiSources:
    """Sources whose secrets are environment variables, and whose Python stands in
    `sources/` beside the folder of datasets; the others as ApiSources has them.
    """
    return ApiSources(
        secrets=EnvironmentSecrets(variables=variables()),
        clock=clock,
        deadline_s=clock.monotonic() + PATIENCE_S,
        ahead=ahead,
        parents=parents,
        budgets=budgets,
        root=datasets.resolve().parent,
    )
