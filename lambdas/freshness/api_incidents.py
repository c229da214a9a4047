"""Tells engineers of an API that rejects our credentials, once for all of theirs."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from lambdas.adapters.signals.judge import Judged
from lambdas.core.dataset import Dataset
from lambdas.core.errors import StateConflict
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.incident import Incident, advance
from lambdas.core.incidents.notice import Notice, notices, with_notices
from lambdas.core.incidents.ports import CheckState, IncidentState
from lambdas.core.incidents.verdicts.api import (
    CAUSE,
    TOGETHER_FROM,
    Rejected,
    api_context,
    api_name,
    api_verdict,
    without_engineers,
)
from lambdas.core.names import API
from lambdas.core.silences.silence import Silence

LOG = logging.getLogger("catflap.freshness.api_incidents")
DATASETS_NAMED = 2_000
"""Of one incident: names have 48 characters, and an event of the bus 256 KB."""


class ApiIncidents:
    """One incident an API and owner, beside those of its datasets."""

    def __init__(
        self,
        *,
        datasets: Collection[Dataset],
        state: IncidentState,
        routes: Routes,
    ) -> None:
        self._datasets = datasets
        self._state = state
        self._routes = routes

    def told(
        self, judged: Sequence[Judged], check_state: CheckState, now: datetime
    ) -> tuple[list[Judged], list[Notice]]:
        """The verdicts as datasets' own incidents go by them, and the notices that were
        made of their APIs.
        """
        rejected = _rejected(judged)
        known = {name for name in check_state.own if name.startswith(API)}
        made: list[Notice] = []
        quiet: set[str] = set()
        for name in sorted({*rejected, *known}):
            found = rejected.get(name, [])
            before = check_state.own.get(name)
            if before is None and len(found) < TOGETHER_FROM:
                continue
            try:
                made += self._advance(name, found, before, check_state.silences, now)
            except StateConflict as conflict:
                LOG.warning("%s; the next check tells", conflict)
            except Exception:
                LOG.exception(
                    "%s: could not keep its incident; reporting its datasets "
                    "one by one",
                    name,
                )
                continue
            quiet |= {one.dataset.name for one in found}
        return [_quiet(one) if one.dataset.name in quiet else one for one in judged], (
            made
        )

    def _advance(
        self,
        name: str,
        rejected: Sequence[Rejected],
        before: Incident | None,
        silences: Sequence[Silence],
        now: datetime,
    ) -> Sequence[Notice]:
        verdict = api_verdict(name, rejected)
        transition = advance(
            before,
            verdict,
            now=now,
            is_silenced=bool(rejected)
            and all(
                context_of(one.dataset).silence(silences, CAUSE, now)
                for one in rejected
            ),
        )
        after = transition.incident
        if after is None:
            return ()
        found = sorted(one.dataset.name for one in rejected)
        names = tuple(found[:DATASETS_NAMED]) or after.datasets
        if after is before and names == after.datasets:
            return ()
        version = after.version + 1 if after is before else after.version
        after = dataclasses.replace(
            after,
            datasets=names,
            headline=verdict.headline if rejected else after.headline,
            evidence=verdict.evidence if rejected else after.evidence,
            version=version,
        )
        made = notices(
            dataclasses.replace(transition, incident=after),
            verdict,
            subject=api_context(name, self._datasets),
            routes=self._routes,
            now=now,
        )
        self._state.record(before, with_notices(after, made), notices=made, watch=None)
        return made


def _rejected(judged: Sequence[Judged]) -> Mapping[str, list[Rejected]]:
    """By API: what cannot be read now is as it was."""
    found: dict[str, list[Rejected]] = {}
    for item in judged:
        verdict, before = item.verdict, item.before
        was = before is not None and before.cause == CAUSE
        name = api_name(item.dataset)
        if name is None or item.dataset.schedule.paused is not None:
            continue
        if verdict.cause == CAUSE or (verdict.state == "unknown" and was):
            found.setdefault(name, []).append(
                Rejected(dataset=item.dataset, verdict=verdict)
            )
    return found


def _quiet(item: Judged) -> Judged:
    if item.verdict.cause != CAUSE:
        return item
    return dataclasses.replace(item, verdict=without_engineers(item.verdict))
