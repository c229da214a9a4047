"""All metrics there are: each module of `metrics` holds one."""

from __future__ import annotations

from collections.abc import Mapping

from lambdas.core.quality import metrics
from lambdas.core.quality.metric import Metric
from lambdas.core.registry import classes_of

_FOUND = sorted(classes_of(metrics, Metric), key=lambda one: one.name)

METRICS: Mapping[str, Metric] = {one.name: one() for one in _FOUND}
"""By their names in YAML."""
