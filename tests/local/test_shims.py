"""Each row of `local.aws.strict.shims`, asked with the shim and without it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws.cloud import Cloud
from local.aws.strict.shims import SHIMS, table
from tests.local.conftest import ADMITS_ALL, error_of


def _role_client(cloud: Cloud, name: str, service: str, *statements: object) -> Any:
    iam = cloud.client("iam")
    arn = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps(ADMITS_ALL)
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="inline",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )
    return cloud.role_client(arn, service, principal="lambda.amazonaws.com")


def _grant_on_an_arn(cloud: Cloud, unique: str) -> object:
    topic = cloud.client("sns").create_topic(Name=unique)["TopicArn"]
    grant = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
    sns = _role_client(cloud, unique, "sns", grant)
    return error_of(sns.publish, TopicArn=topic, Message="hello")[0] == ""


def _table(cloud: Cloud, name: str) -> Any:
    dynamodb = cloud.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


ROUNDS = 8
"""Of writing beside cancelled transactions. The stand-in loses a write in nearly
every one; the probe stops at the first."""

WRITES = 25
"""Of a round."""


def _writes_survive_cancellations(cloud: Cloud, unique: str) -> object:
    dynamodb = _table(cloud, unique)
    for number in range(0, 400, 25):
        puts = [
            {"PutRequest": {"Item": {"pk": {"S": f"old {number + one}"}}}}
            for one in range(25)
        ]
        dynamodb.batch_write_item(RequestItems={unique: puts})
    expected = 400
    for number in range(ROUNDS):
        codes = _write_beside_cancellations(dynamodb, unique, f"new {number}")
        expected += WRITES
        found = dynamodb.scan(TableName=unique, Select="COUNT")["Count"]
        if found != expected or codes != {"TransactionCanceledException"}:
            return False
    return True


def _write_beside_cancellations(dynamodb: Any, table: str, name: str) -> set[str]:
    """How transactions end that are cancelled for as long as 25 items are written.

    The writes are counted, and not the transactions: which of two threads a busy
    machine favours must not decide.
    """
    cancelled = {
        "Put": {
            "TableName": table,
            "Item": {"pk": {"S": "old 1"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }
    codes: set[str] = set()
    cancelling, written = threading.Event(), threading.Event()

    def cancel() -> None:
        while not written.is_set():
            codes.add(
                error_of(dynamodb.transact_write_items, TransactItems=[cancelled])[0]
            )
            cancelling.set()

    other = threading.Thread(target=cancel)
    other.start()
    try:
        assert cancelling.wait(60)
        for number in range(WRITES):
            dynamodb.put_item(TableName=table, Item={"pk": {"S": f"{name} {number}"}})
    finally:
        written.set()
        other.join()
    return codes


def _missing_key(cloud: Cloud, unique: str) -> object:
    bucket = f"missing-{unique}"
    cloud.client("s3").create_bucket(Bucket=bucket)
    grant = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3 = _role_client(cloud, unique, "s3", grant)
    head = error_of(s3.head_object, Bucket=bucket, Key="nothing")[0]
    get = error_of(s3.get_object, Bucket=bucket, Key="nothing")[0]
    return head, get


def _upload(cloud: Cloud, bucket: str) -> tuple[Any, str, dict[str, Any]]:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="key", ChecksumAlgorithm="CRC32"
    )["UploadId"]
    part = s3.upload_part(
        Bucket=bucket,
        Key="key",
        UploadId=upload,
        PartNumber=1,
        Body=b"x",
        ChecksumAlgorithm="CRC32",
    )
    return s3, upload, {"PartNumber": 1, "ETag": part["ETag"], **_checksum(part)}


def _checksum(part: dict[str, Any]) -> dict[str, str]:
    return {"ChecksumCRC32": part["ChecksumCRC32"]}


def _completion_without_checksums(cloud: Cloud, unique: str) -> object:
    bucket = f"checksums-{unique}"
    s3, upload, part = _upload(cloud, bucket)
    bare = {"PartNumber": 1, "ETag": part["ETag"]}
    return error_of(
        s3.complete_multipart_upload,
        Bucket=bucket,
        Key="key",
        UploadId=upload,
        MultipartUpload={"Parts": [bare]},
    )[0]


def _completed_twice(cloud: Cloud, unique: str) -> object:
    bucket = f"twice-{unique}"
    s3, upload, part = _upload(cloud, bucket)
    wanted = {
        "Bucket": bucket,
        "Key": "key",
        "UploadId": upload,
        "MultipartUpload": {"Parts": [part]},
    }
    assert error_of(s3.complete_multipart_upload, **wanted)[0] == ""
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"
    return error_of(s3.complete_multipart_upload, **wanted)[0]


def _told(cloud: Cloud, bucket: str, queue: str) -> Callable[[], list[dict[str, Any]]]:
    """Have a bucket tell a queue of objects; what it has told since is the answer."""
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{queue}"
    target = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
    cloud.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [target]}
    )

    def records() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                found += json.loads(message["Body"]).get("Records", [])
        return found

    return records


def _events_of_an_upload(cloud: Cloud, unique: str) -> object:
    bucket = f"events-{unique}"
    s3, upload, part = _upload(cloud, bucket)
    told = _told(cloud, bucket, unique)
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="key",
        UploadId=upload,
        MultipartUpload={"Parts": [part]},
    )
    return sorted(one["eventName"] for one in told())


def _key_in_an_event(cloud: Cloud, unique: str) -> object:
    bucket = f"slashes-{unique}"
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    told = _told(cloud, bucket, unique)
    s3.put_object(Bucket=bucket, Key="raw/a b", Body=b"")
    return [one["s3"]["object"]["key"] for one in told()]


def _told_to_a_topic_that_admits_nobody(cloud: Cloud, unique: str) -> object:
    """How S3 answers when it is told to, and what it tells a topic that is closed
    afterwards.
    """
    s3, sns, sqs = (cloud.client(name) for name in ("s3", "sns", "sqs"))
    bucket = f"told-{unique}"
    s3.create_bucket(Bucket=bucket)
    topic = sns.create_topic(Name=unique)["TopicArn"]
    closed = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    url = sqs.create_queue(QueueName=unique)["QueueUrl"]
    queue = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{unique}"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    tell = {
        "Bucket": bucket,
        "NotificationConfiguration": {
            "TopicConfigurations": [
                {"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    }
    refused, _ = error_of(s3.put_bucket_notification_configuration, **tell)
    admits = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    heard: list[int] = []
    for policy in (json.dumps({"Statement": [admits]}), closed):
        sns.set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=policy
        )
        if not heard:
            s3.put_bucket_notification_configuration(**tell)
        s3.put_object(Bucket=bucket, Key="a", Body=b"")
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        heard.append(str(messages.get("Messages", "")).count("ObjectCreated"))
    return refused, heard


def _sent_again_after_delete(cloud: Cloud, unique: str) -> object:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(
        QueueName=f"{unique}.fifo",
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
    )["QueueUrl"]
    received = []
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody="once", MessageGroupId="g")
        messages = sqs.receive_message(QueueUrl=url).get("Messages", [])
        received.append(len(messages))
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return received


Probe = Callable[[Cloud, str], object]

PROBES: dict[str, tuple[Probe, object, object]] = {
    # name: probe, its answer with the shim, its answer without
    "identity policies": (_grant_on_an_arn, True, False),
    "isolated transactions": (_writes_survive_cancellations, True, False),
    "missing key without ListBucket": (
        _missing_key,
        ("403", "AccessDenied"),
        ("404", "NoSuchKey"),
    ),
    "part checksums on completion": (
        _completion_without_checksums,
        "InvalidRequest",
        "",
    ),
    "an upload is completed once": (_completed_twice, "NoSuchUpload", ""),
    "one event an upload": (
        _events_of_an_upload,
        ["ObjectCreated:CompleteMultipartUpload"],
        ["ObjectCreated:CompleteMultipartUpload", "ObjectCreated:Put"],
    ),
    "slashes in the keys of events": (_key_in_an_event, ["raw/a+b"], ["raw%2Fa+b"]),
    "a topic admits S3": (
        _told_to_a_topic_that_admits_nobody,
        ("InvalidArgument", [1, 0]),
        ("", [1, 1]),
    ),
    "deduplication outlives the message": (_sent_again_after_delete, [1, 0], [1, 1]),
}


def test_every_shim_has_a_probe() -> None:
    assert {shim.name for shim in SHIMS} == set(PROBES)


@pytest.mark.parametrize("name", PROBES)
def test_the_embedded_aws_does_as_aws_does(
    name: str, cloud: Cloud, unique: str
) -> None:
    probe, strict, _ = PROBES[name]
    assert strict == probe(cloud, unique)


@pytest.mark.parametrize("name", PROBES)
def test_the_stand_in_alone_does_otherwise(
    name: str, lenient: Cloud, unique: str
) -> None:
    probe, _, alone = PROBES[name]
    assert alone == probe(lenient, unique)


def test_the_table_of_shims_is_written_from_the_rows() -> None:
    readme = Path(__file__).parents[2] / "local" / "aws" / "strict" / "README.md"
    assert table() == readme.read_text(), "it is not: run `make generate`"


def test_a_completion_that_must_not_overwrite_is_refused(
    cloud: Cloud, unique: str
) -> None:
    bucket = f"overwrite-{unique}"
    s3, upload, part = _upload(cloud, bucket)
    s3.put_object(Bucket=bucket, Key="key", Body=b"there already")
    code, _ = error_of(
        s3.complete_multipart_upload,
        Bucket=bucket,
        Key="key",
        UploadId=upload,
        MultipartUpload={"Parts": [part]},
        IfNoneMatch="*",
    )
    assert code == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"there already"


def test_a_multipart_upload_under_a_key_needs_decrypt(
    cloud: Cloud, unique: str
) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    bucket = f"encrypted-{unique}"
    admin = cloud.client("s3")
    admin.create_bucket(Bucket=bucket)
    admin.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": key,
                    }
                }
            ]
        },
    )
    put = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    generate = {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": key}
    s3 = _role_client(cloud, unique, "s3", put, generate)
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"")[0] == ""
    code, text = error_of(s3.create_multipart_upload, Bucket=bucket, Key="k")
    assert code == "AccessDenied"
    assert "kms:Decrypt" in text
    assert "kms:Decrypt" in error_of(s3.get_object, Bucket=bucket, Key="k")[1]
