"""Every cause, in the order in which the first that holds is *the* cause.

To add one: a `Rule` at its place in one of these modules, a page in `docs/runbooks/`,
a case in `tests/cases/diagnosis/`.
"""

from __future__ import annotations

from lambdas.core.diagnosis.causes import beyond, loading, pulling
from lambdas.core.diagnosis.causes.rule import Rule

ALWAYS: tuple[Rule, ...] = pulling.ALWAYS
STUCK: tuple[Rule, ...] = pulling.STUCK + loading.STUCK
PASSING: tuple[Rule, ...] = (
    pulling.PULL_RUNNING,
    loading.LOAD_PENDING,
    pulling.PULL_DUE,
)
UNCONFIRMED: tuple[Rule, ...] = pulling.UNCONFIRMED
SOURCE: tuple[Rule, ...] = beyond.SOURCE
REST: tuple[Rule, ...] = beyond.REST
MONITOR: tuple[Rule, ...] = beyond.MONITOR
NOTES: tuple[Rule, ...] = beyond.NOTES

RULES: tuple[Rule, ...] = (
    ALWAYS + STUCK + PASSING + UNCONFIRMED + SOURCE + REST + MONITOR + NOTES
)
BY_CODE: dict[str, Rule] = {rule.code: rule for rule in reversed(RULES)}
"""The first rule of each code."""
