"""All metrics there are: each module of `metrics` that holds one is found."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from lambdas.core.quality import metrics
from lambdas.core.quality.metric import Metric


def _found() -> dict[str, Metric]:
    found: list[Metric] = []
    for module in iter_modules(metrics.__path__):
        name = f"{metrics.__name__}.{module.name}"
        found += [
            one()
            for one in vars(import_module(name)).values()
            if isinstance(one, type)
            and issubclass(one, Metric)
            and one.__module__ == name
        ]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


METRICS: Mapping[str, Metric] = _found()
"""By their names in YAML."""
