"""What has to hold before a deploy or a pull, each asked of whoever knows it.

A precondition is met, or not, or not known: what cannot be asked is never "not met".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from cli.deployed.aws_errors import origin_of, sentence_of
from cli.deployed.environment import now
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.adapters.state.proof import ProofTable
from lambdas.core.dataset import Catalogue, to_json_value
from lambdas.core.errors import AccessRefused, CatflapError
from lambdas.core.http.auth import references_in
from lambdas.core.sql import change_marks, generation, names, pipe_status

if TYPE_CHECKING:
    from cli.deployed.environment import Deployed

SUSPENDED = "SUSPENDED"
State: TypeAlias = Literal["ok", "bad", "unknown"]
LEAST_BOOTSTRAP = 6
"""The bootstrap that the CDK's pinned command line asks for."""
BESIDE_PULLS = 10
"""Invocations at a time that checks, repairs and deploys take."""
_STUCK = frozenset({"ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """One of them, how it stands, and what to do where it is not met."""

    what: str
    state: State
    sentence: str


Found: TypeAlias = Iterator[tuple[State, str]]


def preconditions(reached: Deployed, catalogue: Catalogue) -> Iterator[Precondition]:
    """Every one, in the order in which a first deploy needs them. Where the account is
    another one or does not answer, nothing else is asked of AWS.
    """
    account = list(_asked(reached, "account", _account(reached)))
    yield from account
    if all(one.state == "ok" for one in account):
        for what, found in (
            ("CDK bootstrap", _bootstrap(reached)),
            ("stacks", _stacks(reached)),
            ("Lambda concurrency", _concurrency(reached)),
            ("secrets", _secrets(reached, catalogue)),
            ("e-mail addresses", _addresses(reached)),
        ):
            yield from _asked(reached, what, found)
    of_pipes: list[Precondition] = []
    if all(one.state == "ok" for one in account):
        # before a session uses the warehouse, which may wake it
        found = _pipes(reached, catalogue)
        of_pipes = list(_asked(reached, "pipes without a warehouse", found))
    asked = list(_asked(reached, "Snowflake", _snowflake(reached)))
    yield from asked
    if all(one.state == "ok" for one in asked):
        yield from of_pipes


def _asked(reached: Deployed, what: str, found: Found) -> Iterator[Precondition]:
    try:
        for state, sentence in found:
            yield Precondition(what=what, state=state, sentence=sentence)
    except (ClientError, BotoCoreError) as error:
        place = f"account {reached.environment.account}, {reached.environment.region}"
        sentence = sentence_of(error, place=place)
        yield Precondition(what=what, state="unknown", sentence=sentence)


def _account(reached: Deployed) -> Found:
    wanted = reached.environment.account
    found = str(reached.aws("sts").get_caller_identity()["Account"])
    if found == wanted:
        yield "ok", f"the credentials are of account {wanted}"
    else:
        yield (
            "bad",
            (
                f"the credentials are of account {found}, and "
                f"environments/{reached.environment.name}.yaml says {wanted}: set "
                "AWS_PROFILE, or correct the file"
            ),
        )


def _bootstrap(reached: Deployed) -> Found:
    known = reached.environment
    mend = f"run: npx cdk bootstrap aws://{known.account}/{known.region}"
    name = "/cdk-bootstrap/hnb659fds/version"
    try:
        version = int(reached.aws("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as error:
        if _code(error) != "ParameterNotFound":
            raise
        yield "bad", f"{known.region} is not bootstrapped; {mend}"
        return
    if version < LEAST_BOOTSTRAP:
        yield (
            "bad",
            f"version {version} is too old, {LEAST_BOOTSTRAP} is needed; {mend}",
        )
    else:
        yield "ok", f"version {version}"


def _stacks(reached: Deployed) -> Found:
    """Those that take no deploy; one that is not there is in nobody's way."""
    prefix = f"catflap-{reached.environment.name}-"
    pages = reached.aws("cloudformation").get_paginator("describe_stacks").paginate()
    ours = [
        stack
        for page in pages
        for stack in page["Stacks"]
        if stack["StackName"].startswith(prefix)
    ]
    for stack in ours:
        name, status = stack["StackName"], stack["StackStatus"]
        if status in _STUCK:
            verb = (
                "continue-update-rollback"
                if status == "UPDATE_ROLLBACK_FAILED"
                else "delete-stack"
            )
            yield (
                "bad",
                (
                    f"{name} is {status} and takes no deploy; its events say why; then "
                    f"run: aws cloudformation {verb} --stack-name {name}"
                ),
            )
    if not ours:
        yield "ok", "none is deployed yet"
    elif all(stack["StackStatus"] not in _STUCK for stack in ours):
        yield "ok", f"{len(ours)} take a deploy"


def _concurrency(reached: Deployed) -> Found:
    known = reached.environment
    limits = reached.aws("lambda").get_account_settings()["AccountLimit"]
    there = int(limits["UnreservedConcurrentExecutions"])
    needed = known.max_concurrent_pulls + known.max_concurrent_backfills + BESIDE_PULLS
    if there >= needed:
        yield "ok", f"{there:,} invocations at a time, {needed:,} are needed"
    else:
        yield (
            "bad",
            (
                f"the account runs {there:,} functions at a time, {needed:,} are "
                "needed: have the quota `Concurrent executions` of Lambda raised, or "
                f"lower max_concurrent_pulls in environments/{known.name}.yaml"
            ),
        )


def _secrets(reached: Deployed, catalogue: Catalogue) -> Found:
    """Each that the YAML names, with its key; no value is shown."""
    kept = SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager"))
    names = set(references_in(to_json_value(catalogue)))
    channels = reached.environment.channel_secrets.values()
    names |= {f"secret:{name}" for name in channels}
    missing = False
    for reference in sorted(names):
        try:
            kept.value(reference)
        except CatflapError as error:
            missing = True
            refused = origin_of(error)
            gone = _code(refused) == "ResourceNotFoundException"
            yield "bad" if refused is None or gone else "unknown", str(error)
    if not missing:
        yield "ok", f"{len(names)} named, all there"


def _code(error: Exception | None) -> str:
    """AWS's own word for an error; empty, if it has none."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _addresses(reached: Deployed) -> Found:
    """Addresses that have not confirmed hear nothing."""
    stack = f"catflap-{reached.environment.name}-notifications"
    try:
        answer = reached.aws("cloudformation").describe_stack_resources(StackName=stack)
    except ClientError as error:
        if _code(error) != "ValidationError":
            raise
        yield "unknown", "the notifications stack is not deployed yet"
        return
    waiting = False
    for one in answer["StackResources"]:
        if one["ResourceType"] != "AWS::SNS::Topic":
            continue
        pages = reached.aws("sns").get_paginator("list_subscriptions_by_topic")
        for page in pages.paginate(TopicArn=one["PhysicalResourceId"]):
            for subscription in page["Subscriptions"]:
                if subscription["SubscriptionArn"] == "PendingConfirmation":
                    waiting = True
                    yield (
                        "bad",
                        (
                            f"{subscription['Endpoint']} has not confirmed and hears "
                            "nothing: the link is in the e-mail from AWS Notifications"
                        ),
                    )
    if not waiting:
        yield "ok", "all have confirmed"


def _snowflake(reached: Deployed) -> Found:
    """Whether whoever asks can sign in and use the warehouse."""
    settings = reached.settings
    warehouse = SnowflakeWarehouse(
        settings=settings,
        secrets=SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager")),
        connector=snowflake_connector,
    )
    try:
        warehouse.query(f"USE WAREHOUSE {settings.snowflake_warehouse}")
    except CatflapError as error:
        # a function's user is only for its function: that a person is refused says
        # nothing of it
        is_functions = (
            settings.snowflake_user == reached.environment.snowflake.reader.user
        )
        yield (
            "unknown" if is_functions else "bad",
            (
                f"{error}; as yourself: SNOWFLAKE_USER=you "
                f"SNOWFLAKE_AUTHENTICATOR=externalbrowser catflap doctor --env "
                f"{reached.environment.name}; users and warehouse are made by: catflap "
                f"bootstrap-sql --env {reached.environment.name}"
            ),
        )
    else:
        yield (
            "ok",
            (
                f"{settings.snowflake_user} signs in as {settings.snowflake_role} and "
                f"may use {settings.snowflake_warehouse}"
            ),
        )
    finally:
        warehouse.close()


def _pipes(reached: Deployed, catalogue: Catalogue) -> Found:
    """Whether a pipe's status and a table's mark need a warehouse in this account,
    which no page says. It proves itself: a session without one asks, and SHOW
    WAREHOUSES tells before and after whether ours sleeps. What was seen is kept in the
    state: from then on checks tell "on time" from what landed and what these say, where
    they can.
    """
    settings = reached.settings
    if not catalogue.datasets:
        yield "unknown", "there is no dataset yet, whose pipe could be asked"
        return
    name = min(catalogue.datasets)
    pipe = names.pipe(settings.snowflake_database, name, generation(catalogue[name]))
    table = names.raw_table(settings.snowflake_database, name)
    asleep = SnowflakeWarehouse(
        settings=settings,
        secrets=SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager")),
        connector=snowflake_connector,
        purpose="proof",
        is_asleep=True,
    )
    proof = ProofTable(dynamodb=reached.aws("dynamodb"), table=settings.state_table)
    with closing(asleep):
        try:
            before = _warehouse_state(asleep, settings.snowflake_warehouse)
            asleep.query(pipe_status(pipe))
            asleep.query(change_marks([table]))
            after = _warehouse_state(asleep, settings.snowflake_warehouse)
        except AccessRefused as error:
            proof.keep(proven=False, at=now())
            yield "unknown", f"checks read tables, as before: {error}"
            return
        except CatflapError as error:
            yield "unknown", str(error)
            return
    if before != SUSPENDED:
        state = (before or "not to be seen").lower()
        later = "ask again when it sleeps, a minute after its last statement"
        yield "unknown", f"the warehouse is {state}: {later}"
        return
    proof.keep(proven=after == SUSPENDED, at=now())
    if after == SUSPENDED:
        yield "ok", "asked without a warehouse, and ours slept on: checks rely on it"
    else:
        yield "unknown", f"it woke the warehouse ({after}): checks read tables"


def _warehouse_state(asleep: SnowflakeWarehouse, warehouse: str) -> str | None:
    plain = names.plain(names.identifier(warehouse))
    columns, rows = asleep.ask(f"SHOW WAREHOUSES LIKE {names.literal(plain)}")
    place = [column.lower() for column in columns].index("state")
    return str(rows[0][place]) if rows else None
