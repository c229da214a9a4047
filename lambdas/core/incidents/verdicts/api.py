"""An API that rejects our credentials: one incident an owner, with its datasets.

Fifty datasets of one API meet the same refusal, each at its next pull. Their engineers
hear of the API once, each owner's of its own datasets, and the datasets' incidents are
kept without them; those who use the data hear of each dataset that is late.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from lambdas.core.dataset import Api, Dataset
from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.causes.rule import Audience, Stage
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.incidents.context import IncidentContext
from lambdas.core.names import API
from lambdas.core.text.count import counted

CAUSE = "credentials_rejected"
TOGETHER_FROM = 2
"""So many datasets make it a matter of their API. It stays one until none is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A dataset whose API rejects our credentials, as far as is known."""

    dataset: Dataset
    verdict: Verdict


def api_name(dataset: Dataset) -> str | None:
    """The name under which the incident of a dataset's API stands: its host, which of
    its credentials, and whose engineers hear of it. None: it has no API.
    """
    client, owner = dataset.source.client, dataset.owner
    if not isinstance(client, Api):
        return None
    auth = "" if client.auth is None else client.auth.model_dump_json()
    told_apart_by = "\n".join((auth, owner.team, owner.slack or ""))
    which = hashlib.blake2b(told_apart_by.encode(), digest_size=3).hexdigest()
    return f"{API}{urlsplit(client.base_url).netloc}.{which}"


def apis_of(datasets: Iterable[Dataset]) -> set[str]:
    """The names under which incidents of their APIs stand."""
    return {name for one in datasets if (name := api_name(one)) is not None}


def host_of(name: str) -> str:
    """The host of the API that an incident's name is of."""
    return name.removeprefix(API).rpartition(".")[0]


def api_verdict(name: str, rejected: Sequence[Rejected]) -> Verdict:
    """One verdict on all of an API's datasets; well, if there are none."""
    verdicts = [one.verdict for one in rejected]
    late = sum(one.state.late for one in verdicts)
    count = counted(len(verdicts), "dataset")
    return Verdict(
        dataset=name,
        state=State.PASS,
        cause=CAUSE if verdicts else None,
        stage=Stage.PULL if verdicts else None,
        page=any(one.page for one in verdicts),
        tell=frozenset({Audience.ENGINEERS}) if verdicts else frozenset(),
        headline=f"{host_of(name)} rejects our credentials: {count}, {late} late",
        evidence=tuple(sorted(one.headline.partition(":")[0] for one in verdicts)),
        next_step=verdicts[0].next_step if verdicts else "nothing to do",
    )


def without_engineers(verdict: Verdict) -> Verdict:
    """A dataset's verdict, where engineers hear of its API."""
    tell = verdict.tell - {Audience.ENGINEERS}
    return dataclasses.replace(verdict, page=False, tell=tell)


def api_context(name: str, datasets: Iterable[Dataset]) -> IncidentContext:
    """The API as people speak of it, and whose datasets it concerns; of `datasets`, the
    others do not count.
    """
    owners = [one.owner for one in datasets if api_name(one) == name]
    mentions = dict.fromkeys(sorted(filter(None, (one.mention for one in owners))))
    return IncidentContext(
        dataset=name,
        description=f"the API at {host_of(name)}",
        promise="those of its datasets",
        timezone="UTC",
        team=owners[0].team if owners else "whoever runs catflap",
        engineers_at=owners[0].slack if owners else None,
        mention=" ".join(mentions) or None,
        api=host_of(name),
    )
