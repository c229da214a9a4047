"""Which IAM actions on which resources a request to the embedded AWS needs.

One function per service, from the "Actions, resources, and condition keys" pages of
the Service Authorization Reference. An API call is not always an action of its own
name: `SendMessageBatch` is `sqs:SendMessage`, a transaction is its operations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import unquote

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import FakeSecret, secretsmanager_backends
from moto.sns.models import sns_backends


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One permission, and the condition keys that only this call has."""

    action: str
    resource: str
    context: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the stand-in has parsed it: `params` are those of a JSON or query
    protocol, `query` and `headers` those of HTTP; `resource` is the stand-in's guess.
    """

    service: str
    operation: str
    resource: str
    account: str
    region: str
    method: str
    params: Mapping[str, Any]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    path: str = "/"

    def arn(self, service: str, name: str) -> str:
        """An ARN in the caller's account and region; an ARN stays what it is."""
        if name.startswith("arn:"):
            return name
        return f"arn:aws:{service}:{self.region}:{self.account}:{name}"


def needs(asked: Asked) -> list[Need]:
    """Every permission the request needs; all of them must be allowed."""
    special = _SERVICES.get(asked.service)
    if special is not None:
        return special(asked)
    return [Need(action=f"{asked.service}:{asked.operation}", resource=asked.resource)]


_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def _dynamodb(asked: Asked) -> list[Need]:
    def table(name: str) -> str:
        return asked.arn("dynamodb", name if ":" in name else f"table/{name}")

    items = asked.params.get("TransactItems")
    if items is not None:
        return [
            Need(
                action=f"dynamodb:{_TRANSACTION[kind]}",
                resource=table(operation["TableName"]),
                context=_leading_keys(operation),
            )
            for item in items
            for kind, operation in item.items()
        ]
    action = f"dynamodb:{asked.operation}"
    if "RequestItems" in asked.params:
        return [
            Need(action=action, resource=table(name), context=_leading_keys(requested))
            for name, requested in asked.params["RequestItems"].items()
        ]
    if "TableName" not in asked.params:
        return [Need(action=action, resource="*")]
    resource = table(asked.params["TableName"])
    if asked.params.get("IndexName"):
        resource += f"/index/{asked.params['IndexName']}"
    context = _leading_keys(asked.params)
    return [Need(action=action, resource=resource, context=context)]


def _leading_keys(operation: object) -> Mapping[str, list[str]]:
    """The partition keys that an operation names; our queries say `pk = :pk`."""
    found = sorted(set(_partition_keys(operation)))
    return {"dynamodb:leadingkeys": found} if found else {}


def _partition_keys(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _partition_keys(one)
    if not isinstance(value, dict):
        return
    for name in ("pk", ":pk"):
        if isinstance(value.get(name), dict):
            yield str(value[name].get("S", ""))
    for below in _WITH_KEYS & value.keys():
        yield from _partition_keys(value[below])


_WITH_KEYS = frozenset({
    "Item", "Key", "Keys", "ExpressionAttributeValues", "PutRequest", "DeleteRequest",
})  # fmt: skip


_SQS_ACTIONS = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}


def _sqs(asked: Asked) -> list[Need]:
    action = f"sqs:{_SQS_ACTIONS.get(asked.operation, asked.operation)}"
    name = asked.params.get("QueueName")
    if name is None and asked.params.get("QueueUrl"):
        name = asked.params["QueueUrl"].rsplit("/", 1)[-1]
    return [Need(action=action, resource=asked.arn("sqs", name) if name else "*")]


def _sns(asked: Asked) -> list[Need]:
    operation = "Publish" if asked.operation == "PublishBatch" else asked.operation
    topic = asked.params.get("TopicArn") or asked.params.get("TargetArn")
    if topic is None and asked.params.get("SubscriptionArn"):
        topic = asked.params["SubscriptionArn"].rsplit(":", 1)[0]
    found = [Need(action=f"sns:{operation}", resource=topic or "*")]
    if operation == "Publish" and topic:
        stored = sns_backends[asked.account][asked.region].topics.get(topic)
        key = _own_key(asked, stored.kms_master_key_id if stored else None)
        if key:
            # SNS developer guide, "Key management": who publishes to a topic under a
            # customer key needs both.
            found += [
                Need(action="kms:GenerateDataKey", resource=key),
                Need(action="kms:Decrypt", resource=key),
            ]
    return found


def _secretsmanager(asked: Asked) -> list[Need]:
    name = asked.params.get("SecretId")
    action = f"secretsmanager:{asked.operation}"
    if not name:
        return [Need(action=action, resource="*")]
    stored = secretsmanager_backends[asked.account][asked.region].secrets
    secret = next((one for one in stored.values() if name in (one.name, one.arn)), None)
    if secret is not None:
        found = [Need(action=action, resource=secret.arn)]
        key = secret.kms_key_id if isinstance(secret, FakeSecret) else None
        return found + _secret_key_needs(asked, key)
    # AWS adds six characters to a secret's name; a missing one has some, too.
    missing = name if name.startswith("arn:") else f"secret:{name}-??????"
    return [Need(action=action, resource=asked.arn("secretsmanager", missing))]


_SECRET_KEY_ACTIONS = {
    "GetSecretValue": ("Decrypt",),
    "PutSecretValue": ("GenerateDataKey", "Decrypt"),
}


def _secret_key_needs(asked: Asked, name: str | None) -> list[Need]:
    """Secrets Manager user guide, "Secret encryption and decryption": who reads or
    writes a secret under a customer's key uses that key.
    """
    key = _own_key(asked, name)
    by = f"secretsmanager.{asked.region}.amazonaws.com"
    return [
        Need(action=f"kms:{one}", resource=key, context={"kms:viaservice": [by]})
        for one in _SECRET_KEY_ACTIONS.get(asked.operation, ())
        if key is not None
    ]


def _cloudformation(asked: Asked) -> list[Need]:
    """A stack by its ARN, or by a name whose id nobody knows."""
    name = asked.params.get("StackName") or ""
    known = name if name.startswith("arn:") else f"stack/{name}/*"
    resource = asked.arn("cloudformation", known) if name else "*"
    return [Need(action=f"cloudformation:{asked.operation}", resource=resource)]


def _events(asked: Asked) -> list[Need]:
    if asked.operation != "PutEvents":
        return [Need(action=f"events:{asked.operation}", resource=asked.resource)]
    return [
        Need(
            action="events:PutEvents",
            resource=asked.arn(
                "events",
                name
                if (name := entry.get("EventBusName") or "default").startswith("arn:")
                else f"event-bus/{name}",
            ),
            context={
                "events:source": [str(entry.get("Source", ""))],
                "events:detail-type": [str(entry.get("DetailType", ""))],
            },
        )
        for entry in asked.params["Entries"]
    ]


def _cloudwatch(asked: Asked) -> list[Need]:
    namespace = asked.params.get("Namespace")
    return [
        Need(
            action=f"cloudwatch:{asked.operation}",
            resource="*",
            context={"cloudwatch:namespace": [namespace]} if namespace else {},
        )
    ]


def _sts(asked: Asked) -> list[Need]:
    external = asked.params.get("ExternalId")
    return [
        Need(
            action=f"sts:{asked.operation}",
            resource=asked.params.get("RoleArn", "*"),
            context={"sts:externalid": [external]} if external else {},
        )
    ]


def _scheduler(asked: Asked) -> list[Need]:
    """A schedule is named in the path, its group beside it or not at all."""
    _, _, name = unquote(asked.path).partition("/schedules/")
    if not name:
        resource = asked.resource
    else:
        body = asked.params.get("GroupName")
        (group,) = asked.query.get("groupName", [body or "default"])
        resource = asked.arn("scheduler", f"schedule/{group}/{name}")
    return [Need(action=f"scheduler:{asked.operation}", resource=resource)]


_S3_BUCKET_ACTIONS = {
    # (method, sub-resource): what moto calls otherwise than IAM does
    ("HEAD", ""): "ListBucket",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "encryption"): "GetEncryptionConfiguration",
    ("PUT", "encryption"): "PutEncryptionConfiguration",
    ("GET", "publicAccessBlock"): "GetBucketPublicAccessBlock",
    ("PUT", "publicAccessBlock"): "PutBucketPublicAccessBlock",
    ("GET", "ownershipControls"): "GetBucketOwnershipControls",
    ("PUT", "ownershipControls"): "PutBucketOwnershipControls",
}


def _s3(asked: Asked) -> list[Need]:
    bucket, _, key = asked.resource.removeprefix("arn:aws:s3:::").partition("/")
    operation = asked.operation
    if not key:
        operation = next(
            (
                action
                for (method, part), action in _S3_BUCKET_ACTIONS.items()
                if method == asked.method and (part in asked.query or not part)
            ),
            operation,
        )
    if asked.method == "POST" and "delete" in asked.query and not key:
        keys = re.findall(r"<Key>(.*?)</Key>", asked.body.decode(), re.DOTALL)
        return [
            Need(action="s3:DeleteObject", resource=f"{asked.resource}/{unescape(one)}")
            for one in keys
        ]
    context = {
        f"s3:{name}": asked.query[name]
        for name in ("prefix", "delimiter", "max-keys")
        if name in asked.query
    }
    if operation == "ListBucket" and asked.method == "GET":
        context.setdefault("s3:prefix", [""])
    found = [Need(action=f"s3:{operation}", resource=asked.resource, context=context)]
    source = asked.headers.get("x-amz-copy-source")
    if source:
        path = unquote(source).lstrip("/").split("?")[0]
        found.append(Need(action="s3:GetObject", resource=f"arn:aws:s3:::{path}"))
    return [*found, *_s3_key_needs(asked, bucket, key, operation)]


def _s3_key_needs(asked: Asked, bucket: str, key: str, operation: str) -> list[Need]:
    """S3 user guide, "Using server-side encryption with AWS KMS keys": a write needs
    GenerateDataKey, a read Decrypt, a multipart upload both.
    """
    if not key or operation not in ("PutObject", "GetObject"):
        return []
    stored = s3_backends[asked.account]["aws"].buckets.get(bucket)
    rule = (stored.encryption or {}).get("Rule", {}) if stored else {}
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    arn = _own_key(asked, default.get("KMSMasterKeyID"))
    if arn is None:
        return []
    decrypt = Need(action="kms:Decrypt", resource=arn)
    generate = Need(action="kms:GenerateDataKey", resource=arn)
    if operation == "PutObject":
        multipart = "uploads" in asked.query or "uploadId" in asked.query
        return [generate, decrypt] if multipart else [generate]
    if asked.method == "GET" and stored and key in stored.keys:
        return [decrypt]
    return []


def _own_key(asked: Asked, name: str | None) -> str | None:
    """The ARN of a customer's key; None for none, or for AWS's own."""
    if not name or name.startswith("alias/aws/"):
        return None
    backend = kms_backends[asked.account][asked.region]
    key = backend.keys.get(backend.any_id_to_key_id(name) or "")
    return key.arn if key else name


_SERVICES: dict[str, Callable[[Asked], list[Need]]] = {
    "cloudformation": _cloudformation,
    "cloudwatch": _cloudwatch,
    "dynamodb": _dynamodb,
    "events": _events,
    "s3": _s3,
    "scheduler": _scheduler,
    "secretsmanager": _secretsmanager,
    "sns": _sns,
    "sqs": _sqs,
    "sts": _sts,
}


def parsed_body(body: object) -> Mapping[str, Any]:
    """The JSON of a request, or nothing if it is none."""
    if isinstance(body, Mapping):
        return body
    if not isinstance(body, (str, bytes)):
        return {}
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
