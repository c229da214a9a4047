"""What functions may do, one function a purpose: the calls they make, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Protocol, TypeAlias

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.aws_s3_assets import Asset
from pydantic import JsonValue

from lambdas.core.dataset import Api, Catalogue, catalogue_key, to_json_value
from lambdas.core.http.destinations import secret_name
from lambdas.core.http.token import TokenAuth
from lambdas.core.landing.names import EDGES, MANIFESTS, PAGES, QUARANTINE, RAW, RUNS
from stacks.constructs.nag import acknowledge, acknowledge_keys_below


class LandingResources(Protocol):
    """What the landing stack made, as the grants name it."""

    bucket: s3.Bucket
    key: kms.Key
    landed: sns.Topic
    state: dynamodb.Table


Conditions: TypeAlias = Mapping[str, Mapping[str, list[str]]]


def allow(
    role: iam.Role,
    sid: str,
    actions: list[str],
    resources: list[str],
    *,
    conditions: Conditions | None = None,
) -> None:
    """One statement of a role's policy."""
    role.add_to_policy(
        iam.PolicyStatement(
            sid=sid, actions=actions, resources=resources, conditions=conditions
        )
    )


_SECRET = re.compile(r"secret:(?P<name>[^#\s]+)(?:#\S+)?")


def secret_names(catalogue: Catalogue) -> list[str]:
    """The names in the catalogue's `secret:NAME#KEY` and `secret:NAME`, sorted."""
    return sorted(set(_secret_names_in(to_json_value(catalogue))))


def _secret_names_in(value: JsonValue) -> Iterator[str]:
    match value:
        case str():
            if match := _SECRET.fullmatch(value):
                yield match["name"]
        case list():
            for element in value:
                yield from _secret_names_in(element)
        case dict():
            for element in value.values():
                yield from _secret_names_in(element)


def renewed_names(catalogue: Catalogue) -> list[str]:
    """The names of secrets whose refresh tokens are written back, sorted."""
    return sorted(
        {
            secret_name(api.auth.kept_in)
            for dataset in catalogue.datasets.values()
            if isinstance(api := dataset.source.client, Api)
            and isinstance(api.auth, TokenAuth)
            and api.auth.kept_in is not None
        }
    )


def write_secrets(role: iam.Role, names: list[str], *, key: str | None) -> None:
    """Store another value of exactly the secrets called `names`; it reads them, too."""
    _on_secrets(role, "WriteSecrets", "secretsmanager:PutSecretValue", names)
    if names:
        _use_secrets_key(role, "EncryptSecrets", "kms:GenerateDataKey", key)


def read_catalogue(role: iam.Role, landing: LandingResources) -> None:
    """Read the datasets. Who may land objects may use the key already."""
    at = landing.bucket.arn_for_objects(catalogue_key())
    allow(role, "ReadCatalogue", ["s3:GetObject"], [at])


def publish_catalogue(role: iam.Role, landing: LandingResources, asset: Asset) -> None:
    """Copy the datasets from where the CDK has put them, and read them there.

    Not of one key, which changes with each deploy: a policy takes effect late.
    """
    copied = asset.bucket.arn_for_objects("*.json")
    allow(role, "ReadUploaded", ["s3:GetObject"], [copied])
    acknowledge(
        role,
        f"AwsSolutions-IAM5[Resource::{Stack.of(role).resolve(copied)}]",
        "the CDK names what it uploads after its content, which changes",
    )
    at = landing.bucket.arn_for_objects(catalogue_key())
    allow(role, "PublishCatalogue", ["s3:GetObject", "s3:PutObject"], [at])
    key = [landing.key.key_arn]
    allow(role, "UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], key)


def read_secrets(role: iam.Role, names: list[str], *, key: str | None) -> None:
    """Read exactly the secrets called `names`, which may be under a customer's key."""
    _on_secrets(role, "ReadSecrets", "secretsmanager:GetSecretValue", names)
    if names:
        _use_secrets_key(role, "DecryptSecrets", "kms:Decrypt", key)


def _use_secrets_key(role: iam.Role, sid: str, action: str, key: str | None) -> None:
    """Whoever asks for a secret under a customer's key uses the key, and for nothing
    else (Secrets Manager user guide, "Secret encryption and decryption").
    """
    if key is not None:
        by = f"secretsmanager.{Stack.of(role).region}.amazonaws.com"
        condition = {"StringEquals": {"kms:ViaService": [by]}}
        allow(role, sid, [action], [key], conditions=condition)


def _on_secrets(role: iam.Role, sid: str, action: str, names: list[str]) -> None:
    if not names:
        return
    # Secrets Manager ends a secret's ARN with a dash and six characters.
    arns = [
        Stack.of(role).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=f"{name}-??????",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for name in names
    ]
    allow(role, sid, [action], arns)


_DATA, _NOTES = (RAW, QUARANTINE), (MANIFESTS, EDGES)


def land_objects(role: iam.Role, landing: LandingResources) -> None:
    """Upload in parts, complete, look whether it is there; say that a run is whole,
    and read what a parent's run has landed; keep and drop manifests and edges.
    """
    upload = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    keep = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    allow(role, "LandObjects", upload, _below(landing, _DATA))
    allow(role, "SayWhatIsWhole", upload[1:], _below(landing, (RUNS,)))
    allow(role, "KeepNotes", keep, _below(landing, _NOTES))
    _use_bucket(role, landing, (*_DATA, RUNS, *_NOTES))


def finish_runs(role: iam.Role, landing: LandingResources) -> None:
    """Complete the uploads that a run has recorded, and say that it is whole."""
    complete = ["s3:GetObject", "s3:PutObject"]
    allow(role, "CompleteUploads", complete, _below(landing, _DATA))
    allow(role, "SayWhatIsWhole", ["s3:PutObject"], _below(landing, (RUNS,)))
    allow(role, "ReadManifests", ["s3:GetObject"], _below(landing, (MANIFESTS,)))
    allow(role, "DropNotes", ["s3:DeleteObject"], _below(landing, _NOTES))
    _use_bucket(role, landing, (*_DATA, RUNS, *_NOTES))


def _below(landing: LandingResources, prefixes: tuple[str, ...]) -> list[str]:
    return [landing.bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]


def land_again(role: iam.Role, landing: LandingResources) -> None:
    """Read what has landed, land it again under another name, set rows aside."""
    write = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    allow(role, "LandAgain", write, _below(landing, _DATA))
    allow(role, "SayWhatIsWhole", write[1:], _below(landing, (RUNS,)))
    _use_bucket(role, landing, (*_DATA, RUNS))


def write_pages(role: iam.Role, landing: LandingResources) -> None:
    """Write the pages that people look at, and see when they were made."""
    bucket = landing.bucket
    below = bucket.arn_for_objects(f"{PAGES}*")
    allow(role, "WritePages", ["s3:GetObject", "s3:PutObject"], [below])
    allow(role, "UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [landing.key.key_arn])
    acknowledge_keys_below(role, Stack.of(bucket), bucket.bucket_arn, (PAGES,))


def look_at_wiring(role: iam.Role, landing: LandingResources) -> None:
    """See whom the bucket tells of objects, and who hears of them."""
    allow(
        role, "SeeWhoIsTold", ["s3:GetBucketNotification"], [landing.bucket.bucket_arn]
    )
    allow(
        role,
        "SeeWhoHears",
        ["sns:ListSubscriptionsByTopic"],
        [landing.landed.topic_arn],
    )


def tell_of_objects(role: iam.Role, landing: LandingResources) -> None:
    """Set whom the bucket tells of objects."""
    allow(
        role, "TellOfObjects", ["s3:PutBucketNotification"], [landing.bucket.bucket_arn]
    )


def _use_bucket(
    role: iam.Role, landing: LandingResources, prefixes: tuple[str, ...]
) -> None:
    """Without ListBucket, HEAD on a missing key is 403 and looks like no access; and
    the runs of a parent are listed with it. No condition on `s3:prefix`: a HEAD
    carries none, and would be refused.

    A multipart upload under SSE-KMS needs both actions of the key (S3, "Multipart
    upload and permissions").
    """
    bucket = landing.bucket
    allow(role, "SeeWhatIsMissing", ["s3:ListBucket"], [bucket.bucket_arn])
    allow(role, "UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [landing.key.key_arn])
    acknowledge_keys_below(role, Stack.of(bucket), bucket.bucket_arn, prefixes)


PULLED_KEYS = (
    "DATASET#*", "COMMITTING", "LANDED", "RATE#*", "PLACES#*", "REPORTED",
)  # fmt: skip
"""The partitions of the state table that a pull reads or writes. The monitor's,
incidents' histories and what was made in Snowflake are not among them, so that a pull
function in wrong hands cannot silence the alarm."""


def keep_pulled(role: iam.Role, table: dynamodb.ITable) -> None:
    """Read and write what a pull keeps, one item at a time, and nothing else of the
    state.
    """
    keys = {"dynamodb:LeadingKeys": list(PULLED_KEYS)}
    _on_state(
        role,
        table,
        "KeepRuns",
        ("DeleteItem", "GetItem", "PutItem"),
        conditions={"ForAllValues:StringLike": keys},
    )


def keep_runs(role: iam.Role, table: dynamodb.ITable) -> None:
    """Read and write datasets' states and runs."""
    names = ("DeleteItem", "GetItem", "PutItem", "Query")
    _on_state(role, table, "KeepRuns", names)


def keep_loads(role: iam.Role, table: dynamodb.ITable) -> None:
    """List what has landed and was not seen loaded, and settle it."""
    _on_state(role, table, "KeepLoads", ("DeleteItem", "PutItem", "Query"))


def _on_state(
    role: iam.Role,
    table: dynamodb.ITable,
    sid: str,
    names: tuple[str, ...],
    *,
    conditions: Conditions | None = None,
) -> None:
    """A transaction needs the permissions of the writes it is made of."""
    actions = [f"dynamodb:{name}" for name in names]
    allow(role, sid, actions, [table.table_arn], conditions=conditions)


def read_state(role: iam.Role, table: dynamodb.ITable) -> None:
    """Read all of the state, and change nothing of it."""
    _on_state(role, table, "ReadState", ("GetItem", "Query"))


def keep_digests(role: iam.Role, table: dynamodb.ITable) -> None:
    """Put digests in the outbox, and remember of which day they are."""
    keys = {"dynamodb:LeadingKeys": ["MONITOR*"]}
    allow(
        role,
        "KeepDigests",
        ["dynamodb:PutItem"],
        [table.table_arn],
        conditions={"ForAllValues:StringLike": keys},
    )


EDITED_KEYS = ("DATASET#*", "INCIDENT", "MONITOR*", "SLACK#*")
"""The partitions that a person's change of an incident reads or writes."""


def keep_edits(role: iam.Role, table: dynamodb.ITable) -> None:
    """Read an incident, and write its change with the notices; no run, no history, and
    no lists.
    """
    keys = {"dynamodb:LeadingKeys": list(EDITED_KEYS)}
    _on_state(
        role,
        table,
        "KeepEdits",
        ("BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem"),
        conditions={"ForAllValues:StringLike": keys},
    )


def keep_made(role: iam.Role, table: dynamodb.ITable) -> None:
    """Read one dataset's state at a time, keep what was made in Snowflake, and report
    what was not.
    """
    allow(role, "ReadState", ["dynamodb:GetItem"], [table.table_arn])
    allow(
        role,
        "KeepMade",
        ["dynamodb:PutItem"],
        [table.table_arn],
        conditions={
            "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["WAREHOUSE"]}
        },
    )
    allow(
        role,
        "ReportUnmade",
        ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"],
        [table.table_arn],
        conditions={
            "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["REPORTED"]}
        },
    )


def see_rollbacks(role: iam.Role) -> None:
    """See what CloudFormation is doing with the role's own stack."""
    stack = Stack.of(role)
    own = stack.format_arn(
        service="cloudformation",
        resource="stack",
        resource_name=f"{stack.stack_name}/*",
    )
    allow(role, "SeeRollbacks", ["cloudformation:DescribeStacks"], [own])
    acknowledge(
        role,
        f"AwsSolutions-IAM5[Resource::{own}]",
        "a stack's ARN ends with an id that CloudFormation gives",
    )


def keep_incidents(role: iam.Role, table: dynamodb.ITable) -> None:
    """What watching needs beyond `keep_runs`: many items at once, conditions."""
    names = ("BatchGetItem", "BatchWriteItem", "ConditionCheckItem")
    _on_state(role, table, "KeepIncidents", names)


def look_at_schedules(role: iam.Role, prefix: str) -> None:
    """See whether the schedules whose names begin with `prefix` are on."""
    below = Stack.of(role).format_arn(
        service="scheduler",
        resource="schedule",
        resource_name=f"default/{prefix}*",
    )
    allow(role, "LookAtSchedules", ["scheduler:GetSchedule"], [below])
    acknowledge(
        role,
        f"AwsSolutions-IAM5[Resource::{below}]",
        "schedules are named after datasets, which come and go without this stack",
    )


def publish_notices(role: iam.Role, *topics: sns.ITopic) -> None:
    """Publish to `topics`; whoever may land objects may use their key already."""
    allow(
        role, "PublishNotices", ["sns:Publish"], [topic.topic_arn for topic in topics]
    )
