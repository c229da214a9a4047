"""What the state table of an environment remembers of datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from cli.deployed.environment import Deployed
from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.evidence import event_reached, usual_run_s
from lambdas.core.slack.mentions import handles_in

_RUNS = 10
"""So many of the newest runs of a dataset are asked for."""
_AT_ONCE = 8
_NAMED = 5


def usual_runs(reached: Deployed, datasets: Sequence[str]) -> Mapping[str, timedelta]:
    """How long pulls take, but of what has never landed anything. Raises NotReached."""
    with reached.reached(), ThreadPoolExecutor(_AT_ONCE) as threads:
        table = reached.runs()
        found = zip(
            datasets,
            threads.map(lambda name: table.latest_runs(name, _RUNS), datasets),
            strict=True,
        )
        known = {name: usual_run_s(runs) for name, runs in found}
    return {name: timedelta(seconds=s) for name, s in known.items() if s is not None}


def newest_loaded(
    reached: Deployed, datasets: Mapping[str, Dataset]
) -> Mapping[str, datetime]:
    """The newest row of each table as of its last load, since a check may be hours
    ago: where the cursor tells it and all that landed is loaded.
    """
    from lambdas.adapters.state.loads import LoadTable  # noqa: PLC0415 - boto3

    loads = LoadTable(
        dynamodb=reached.aws("dynamodb"), table=reached.settings.state_table
    )
    waiting = {one.dataset for one in loads.landed()}
    asked = [
        dataset
        for name, dataset in datasets.items()
        if name not in waiting and dataset.freshness.loaded_at_field is not None
    ]
    table = reached.runs()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        states = threads.map(lambda one: table.read(one.name), asked)
        found = {
            dataset.name: event_reached(dataset, state)
            for dataset, state in zip(asked, states, strict=True)
        }
    return {name: at for name, at in found.items() if at is not None}


def unknown_mentions(reached: Deployed, datasets: Mapping[str, Dataset]) -> list[str]:
    """What checks found out about the user groups that owners name, where a page would
    mention nobody. Raises NotReached.
    """
    from lambdas.adapters.state.posts import UserGroupTable  # noqa: PLC0415 - boto3

    named = {
        name: handles_in(one.owner.mention)
        for name, one in sorted(datasets.items())
        if one.owner.mention
    }
    if not any(named.values()) or "slack" not in reached.environment.channel_secrets:
        return []
    with reached.reached():
        groups = UserGroupTable(
            dynamodb=reached.aws("dynamodb"), table=reached.settings.state_table
        ).read()
    if groups is None:
        return []
    said = []
    for handle in groups.unknown:
        whose = [name for name, handles in named.items() if handle in handles]
        if whose:
            more = f" and {len(whose) - _NAMED} more" if len(whose) > _NAMED else ""
            said.append(
                f"@{handle}, in `owner.mention` of {', '.join(whose[:_NAMED])}{more}, "
                "is not a user group of the workspace (asked "
                f"{groups.asked_at:%Y-%m-%d %H:%M} UTC): a page mentions nobody; "
                "accepted: the handle of one, or ids S… or U…"
            )
    if groups.fault:
        said.append(
            f"the user groups that owners name in `mention` are not known since "
            f"{groups.asked_at:%Y-%m-%d %H:%M} UTC: {groups.fault}"
        )
    return said
