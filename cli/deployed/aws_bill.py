"""What AWS billed for an environment, by service: Cost Explorer, by the tags that the
environment's file puts on every resource.

A tag is known to Cost Explorer once it is activated for cost allocation in the account
that pays; that takes about a day and is not retroactive (AWS Billing: "Using
user-defined cost allocation tags"). Each page of an answer costs 0.01 USD.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.deployed.aws_errors import sentence_of

if TYPE_CHECKING:
    from cli.deployed.environment import Deployed

MOST_PAGES = 5
NAMED = 5
"""Services that are named, the dearest."""


def aws_billed(reached: Deployed, since: datetime, until: datetime) -> Iterator[str]:
    """A sentence of the bill from midnight to midnight (UTC), or why there is none."""
    known = reached.environment
    if not known.tags:
        yield (
            f"not known: environments/{known.name}.yaml declares no `tags`, by which "
            "Cost Explorer would tell its resources"
        )
        return
    try:
        found = _by_service(reached.aws("ce"), known.tags, since, until)
    except (ClientError, BotoCoreError) as error:
        place = f"account {known.account}, {known.region}"
        yield f"not known: Cost Explorer: {sentence_of(error, place=place)}"
        return
    said = ", ".join(f"{name}={value}" for name, value in sorted(known.tags.items()))
    if not found:
        yield (
            f"not known: Cost Explorer knows no cost of {said}; activate the tags for "
            "cost allocation in the account that pays, and wait a day"
        )
        return
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    named = ", ".join(f"{name} ${usd:,.2f}" for name, usd in ranked[:NAMED])
    yield f"${sum(found.values()):,.2f} by Cost Explorer ({said}): {named}"


def _by_service(
    explorer: Any,  # noqa: ANN401 - boto3 has no type of its own
    tags: Mapping[str, str],
    since: datetime,
    until: datetime,
) -> Mapping[str, float]:
    one_each = [
        {"Tags": {"Key": name, "Values": [value]}} for name, value in tags.items()
    ]
    asked: dict[str, Any] = {
        "TimePeriod": {
            "Start": since.date().isoformat(),
            "End": until.date().isoformat(),
        },
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}],
        "Filter": one_each[0] if len(one_each) == 1 else {"And": one_each},
    }
    found: defaultdict[str, float] = defaultdict(float)
    for _ in range(MOST_PAGES):
        answer = explorer.get_cost_and_usage(**asked)
        for day in answer["ResultsByTime"]:
            for group in day.get("Groups", ()):
                amount = group["Metrics"]["UnblendedCost"]["Amount"]
                found[group["Keys"][0]] += float(amount)
        if not (token := answer.get("NextPageToken")):
            break
        asked["NextPageToken"] = token
    return found
