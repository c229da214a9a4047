"""A dataset as people speak of it: what it is, what was promised, who is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from lambdas.core.dataset import Api, Dataset, Freshness, Period
from lambdas.core.freshness.attainment import LATES, AttainmentState, Late, Usual
from lambdas.core.incidents.incident import Incident, Recipient
from lambdas.core.names import LOADING, MONITOR
from lambdas.core.silences.silence import Silence, holding
from lambdas.core.text.count import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentContext:
    """Whom and what an incident concerns; `usual` is how it was late before."""

    dataset: str
    description: str
    promise: str
    timezone: str
    team: str
    engineers_at: str | None = None
    stakeholders_at: str | None = None
    mention: str | None = None
    usual: Usual | None = None
    api: str | None = None
    """Where its records come from: host and port of the API, if one is declared."""
    models_at: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The models that are late with it, by the channel of their stakeholders."""

    def address_of(self, audience: Recipient) -> str | None:
        """The owner's channel for an audience, if one is declared."""
        match audience:
            case Recipient.ENGINEERS:
                return self.engineers_at
            case Recipient.STAKEHOLDERS:
                return self.stakeholders_at
            case _:
                return None

    def silence(
        self, silences: Iterable[Silence], cause: str | None, now: datetime
    ) -> Silence | None:
        """The silence that holds for it with that cause, if one does."""
        return holding(
            silences,
            dataset=self.dataset,
            team=self.team,
            api=self.api,
            cause=cause,
            now=now,
        )


NOWHERE: Mapping[str, tuple[str, ...]] = {}


def context_of(
    dataset: Dataset,
    *,
    usual: Usual | None = None,
    models_at: Mapping[str, tuple[str, ...]] = NOWHERE,
) -> IncidentContext:
    """What there is to say of a dataset apart from its incident."""
    client = dataset.source.client
    return IncidentContext(
        dataset=dataset.name,
        description=dataset.description,
        promise=promise_of(dataset.freshness),
        timezone=dataset.freshness.calendar.timezone,
        team=dataset.owner.team,
        engineers_at=dataset.owner.slack,
        stakeholders_at=dataset.owner.stakeholders,
        mention=dataset.owner.mention,
        usual=usual,
        models_at=models_at,
        api=urlsplit(client.base_url).netloc if isinstance(client, Api) else None,
    )


def removed_context(dataset: str) -> IncidentContext:
    """A dataset whose file is gone: its name is all that is known."""
    return IncidentContext(
        dataset=dataset,
        description="it is no longer declared",
        promise="none any more",
        timezone="UTC",
        team="",
    )


def promise_of(freshness: Freshness) -> str:
    """The promise in a sentence: `data no older than 3 hours (warning), …`."""
    zone = freshness.calendar.timezone
    if freshness.deadline_cron is not None:
        bound = freshness.lower_bound_delta
        old = f", with data no older than {_period(bound)} before it" if bound else ""
        return f"by every tick of `{freshness.deadline_cron}` ({zone}){old}"
    limits = [
        f"{_period(period)} ({word})"
        for period, word in (
            (freshness.warn_after, "warning"),
            (freshness.error_after, "error"),
        )
        if period is not None
    ]
    if not limits:
        return "none declared"
    by = (
        f"by `{freshness.loaded_at_field}`"
        if freshness.loaded_at_field
        else "by load time"
    )
    return f"data no older than {', '.join(limits)}, {by}"


def _period(period: Period) -> str:
    return counted(period.count, period.period)


def monitor_context() -> IncidentContext:
    """The monitor itself, whose problems concern no single dataset."""
    return IncidentContext(
        dataset=MONITOR,
        description="catflap's own monitoring",
        promise="every dataset is checked when due, and people are notified",
        timezone="UTC",
        team="whoever runs catflap",
    )


def loading_context() -> IncidentContext:
    """The loads of all datasets, whose problems are told together."""
    return IncidentContext(
        dataset=LOADING,
        description="the way from the landing zone into the tables",
        promise="what has landed is loaded, once",
        timezone="UTC",
        team="whoever runs catflap",
    )


def with_late(tally: AttainmentState, incident: Incident) -> AttainmentState:
    """With an incident that is over; if it was late, and is not known yet."""
    late = late_of(incident)
    if late is None or late.incident_id in {one.incident_id for one in tally.lates}:
        return tally
    return dataclasses.replace(tally, lates=(*tally.lates, late)[-LATES:])


def late_of(incident: Incident) -> Late | None:
    """What an incident amounts to; None if it is open, or was never late."""
    if incident.resolved_at is None or incident.late_since is None:
        return None
    return Late(
        incident_id=incident.incident_id,
        at=incident.late_since,
        seconds=(incident.resolved_at - incident.late_since).total_seconds(),
        cause=incident.main_cause,
    )
