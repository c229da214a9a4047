"""What a deployed environment was used for: Snowflake, asked as its reporter, and AWS,
asked of Cost Explorer by the tags that the environment's file puts on every resource.

A tag is known to Cost Explorer once it is activated for cost allocation in the account
that pays; that takes about a day and is not retroactive (AWS Billing: "Using
user-defined cost allocation tags"). Each page of an answer costs 0.01 USD.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from cli.deployed.aws_errors import sentence_of
from cli.deployed.environment import Deployed, now
from cli.deployed.local import LOCAL
from lambdas.adapters.reports.facts import read_lates
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.access_history import AccessHistory
from lambdas.adapters.snowflake.usage import AccountUsage
from lambdas.adapters.snowflake.warehouse import (
    LOOPBACK,
    SnowflakeWarehouse,
    snowflake_connector,
)
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import BadInput
from lambdas.core.reports.access_facts import AccessFacts
from lambdas.core.reports.access_week import WEEK, unread
from lambdas.core.reports.cost_report import CostReport
from lambdas.core.reports.estimate import MonthlyCost
from lambdas.core.reports.usage import weeks

MOST_PAGES = 5
NAMED = 5
"""Services that are named, the dearest."""


def reporter(reached: Deployed) -> SnowflakeWarehouse:
    """A session of the environment's reporter, unless the shell says who asks.

    Raises BadInput where the reporter cannot sign in.
    """
    # The connector signs for a region, and asks only this variable for it.
    os.environ.setdefault("AWS_REGION", reached.environment.region)
    snowflake, said = reached.environment.snowflake, reached.settings
    login = snowflake.report_login
    own, theirs = (
        {
            "snowflake_user": one.user,
            "snowflake_role": one.role,
            "snowflake_private_key_secret": one.private_key_secret,
        }
        for one in (login, snowflake.reader)
    )
    settings = said.model_copy(
        update={key: own[key] for key in own if getattr(said, key) == theirs[key]}
    )
    if settings.snowflake_user == login.user and not snowflake.has_reporter:
        raise BadInput(
            f"{login.user} cannot sign in: with `authenticator: key_pair` declare "
            "`snowflake.reporter` in the environment's file, with its "
            "`private_key_secret`"
        )
    return SnowflakeWarehouse(
        settings=settings,
        secrets=SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager")),
        connector=snowflake_connector,
        purpose="report",
    )


def _is_simulated(reached: Deployed) -> bool:
    """Whether it is an embedded stack, which answers on loopback alone."""
    url = reached.settings.snowflake_endpoint_url
    on_loopback = url is not None and urlsplit(url).hostname in LOOPBACK
    return reached.environment.name == LOCAL or on_loopback


def usage_report(
    reached: Deployed, catalogue: Catalogue, estimate: MonthlyCost
) -> CostReport:
    """The last whole week beside the one before. Raises NotReached,
    WarehouseUnreachable.
    """
    known = reached.environment
    with reached.reached(), closing(reporter(reached)) as source:
        usage = AccountUsage(
            source=source,
            warehouse=known.snowflake.warehouse,
            database=known.snowflake.database,
            datasets=catalogue.datasets,
            users=[user for user, _ in known.snowflake_logins.values()],
        )
        earlier, last = weeks(now())
        access = _access(reached, catalogue, source)
        return CostReport(
            before=usage.week(*earlier),
            after=usage.week(*last),
            estimate=estimate,
            datasets=catalogue.datasets,
            budgets=known.budgets,
            credit_price=known.credit_price,
            lates=read_lates(
                catalogue.datasets, incidents=reached.incidents(), now=now()
            ),
            unread=unread(access),
            aws_billed=tuple(aws_billed(reached, *last)),
            simulated=_is_simulated(reached),
        )


def access_week(reached: Deployed, catalogue: Catalogue) -> AccessFacts:
    """What changed in the last seven days. Raises NotReached, WarehouseUnreachable."""
    with reached.reached(), closing(reporter(reached)) as source:
        return _access(reached, catalogue, source)


def _access(
    reached: Deployed, catalogue: Catalogue, source: SnowflakeWarehouse
) -> AccessFacts:
    known, at = reached.environment, now()
    return AccessHistory(source=source, database=known.snowflake.database).facts(
        catalogue,
        since=at - WEEK,
        now=at,
        logins=known.snowflake_logins,
        simulated=_is_simulated(reached),
    )


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
