"""S3 as strict as S3 is, where moto is lenient."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote_plus
from xml.dom import minidom

from moto.core.common_types import TYPE_RESPONSE
from moto.s3 import models, notifications
from moto.s3.exceptions import NoSuchUpload, S3ClientError
from moto.s3.responses import S3Response
from moto.sns.models import sns_backends

from local.aws.strict import iam
from local.aws.strict.policy import trusts

NOT_FOUND = 404


def install_missing_key_needs_list() -> None:
    """HEAD or GET of a missing key answers 403 to who may not list the bucket."""
    head = S3Response.head_object
    get = S3Response.get_object

    def head_object(
        self: S3Response,
        bucket_name: str,
        query: dict[str, Any],
        key_name: str,
        headers: dict[str, Any],
    ) -> TYPE_RESPONSE:
        answer = head(self, bucket_name, query, key_name, headers)
        if isinstance(answer, tuple) and answer[0] == NOT_FOUND:
            try:
                _require_list(self, bucket_name)
            except iam.RefusedByS3:
                return 403, {}, ""  # a HEAD has no body to say why
        return answer

    def get_object(self: S3Response) -> TYPE_RESPONSE:
        try:
            return get(self)
        except S3ClientError as missing:
            if missing.code == "NoSuchKey":
                _require_list(self, self.bucket_name)
            raise

    S3Response.head_object = head_object  # type: ignore[method-assign]
    S3Response.get_object = get_object  # type: ignore[method-assign]


def _require_list(response: S3Response, bucket: str) -> None:
    iam.require(response, action="s3:ListBucket", resource=f"arn:aws:s3:::{bucket}")


def install_part_checksums() -> None:
    """A completion must name each part's checksum if the upload has an algorithm."""
    parts_of = S3Response._complete_multipart_body  # noqa: SLF001 - reads a completion's body

    def complete_multipart_body(
        self: S3Response, body: bytes
    ) -> Iterator[tuple[int, str]]:
        bucket = self.backend.get_bucket(self.bucket_name)
        upload = bucket.multiparts.get(self._get_param("uploadId"))
        if upload is not None:
            _refuse_missing_checksums(upload, body)
        return parts_of(self, body)

    S3Response._complete_multipart_body = complete_multipart_body  # type: ignore[method-assign]  # noqa: SLF001 - as above


def _refuse_missing_checksums(upload: models.FakeMultipart, body: bytes) -> None:
    algorithm = upload.metadata.get("x-amz-checksum-algorithm")
    kind = upload.metadata.get("x-amz-checksum-type") or "COMPOSITE"
    if not algorithm or kind == "FULL_OBJECT":
        return
    for part in minidom.parseString(body).getElementsByTagName("Part"):  # noqa: S318 - of our own client, on loopback
        if not part.getElementsByTagName(f"Checksum{algorithm.upper()}"):
            number = part.getElementsByTagName("PartNumber")[0].firstChild
            raise S3ClientError(
                "InvalidRequest",
                f"The upload was created using a {algorithm.lower()} checksum. The "
                "complete request must include the checksum for each part. It was "
                f"missing for part {getattr(number, 'data', '?')} in the request.",
            )


def install_completed_once() -> None:
    """An upload is completed once: again, or never begun, it is NoSuchUpload."""
    complete = models.S3Backend.complete_multipart_upload

    def complete_multipart_upload(
        self: models.S3Backend,
        bucket_name: str,
        multipart_id: str,
        body: Iterator[tuple[int, str]],
    ) -> models.FakeKey | None:
        upload = self.get_bucket(bucket_name).multiparts.get(multipart_id)
        if upload is None:
            raise NoSuchUpload(upload_id=multipart_id)
        key = complete(self, bucket_name, multipart_id, body)
        # moto knows a repeated completion by the upload's id on the object.
        upload.id = f"completed-{upload.id}"
        return key

    models.S3Backend.complete_multipart_upload = complete_multipart_upload  # type: ignore[method-assign]


def install_one_event_an_upload() -> None:
    """A completion fires CompleteMultipartUpload, and no Put."""
    put = models.S3Backend.put_object

    def put_object(
        self: models.S3Backend,
        *positional: Any,  # noqa: ANN401 - as moto's
        **named: Any,  # noqa: ANN401 - as moto's
    ) -> models.FakeKey:
        if named.get("multipart") is not None:
            named["disable_notification"] = True
        return put(self, *positional, **named)

    models.S3Backend.put_object = put_object  # type: ignore[method-assign]


def install_slashes_in_event_keys() -> None:
    """Keys in events are URL-encoded, but for their slashes."""
    notifications.quote_plus = partial(quote_plus, safe="/")  # type: ignore[attr-defined]  # the name moto imported


def install_topic_admits_s3() -> None:
    """A bucket tells a topic only if the topic's policy lets S3 publish: S3 tries it
    when it is told to, and is silent afterwards.
    """
    put = models.S3Backend.put_bucket_notification_configuration
    send = notifications._send_sns_message  # noqa: SLF001 - moto's one door to topics

    def put_bucket_notification_configuration(
        self: models.S3Backend, bucket_name: str, notification_config: dict[str, Any]
    ) -> None:
        for one in notification_config.get("TopicConfiguration", ()):
            if not _admits_s3(self.account_id, one["Topic"]):
                raise S3ClientError(
                    "InvalidArgument",
                    "Unable to validate the following destination configurations",
                )
        put(self, bucket_name, notification_config)

    def send_sns_message(
        account_id: str, event_body: object, topic_arn: str, region_name: str
    ) -> None:
        if _admits_s3(account_id, topic_arn):
            send(account_id, event_body, topic_arn, region_name)

    models.S3Backend.put_bucket_notification_configuration = (  # type: ignore[method-assign]
        put_bucket_notification_configuration
    )
    notifications._send_sns_message = send_sns_message  # noqa: SLF001 - as above


def _admits_s3(account: str, topic_arn: str) -> bool:
    region = topic_arn.split(":")[3]
    topic = sns_backends[account][region].topics.get(topic_arn)
    return topic is not None and trusts(
        json.loads(topic.policy),
        action="sns:Publish",
        principal="s3.amazonaws.com",
        context={"aws:sourceaccount": [account], "aws:securetransport": ["true"]},
    )
