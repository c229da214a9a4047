"""What the bucket tells of its objects, on a topic whose policy may count late."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.landing.object_events import ObjectEvents
from lambdas.core.errors import LandingError
from tests.memory import FakeClock

TOPIC = "arn:aws:sns:us-east-1:123456789012:landed"


class Refusing:
    """An S3 that refuses a few times."""

    def __init__(self, s3: Any, *, refusals: int, code: int) -> None:
        self._s3, self._left, self._code = s3, refusals, code

    def put_bucket_notification_configuration(self, **given: Any) -> None:
        if self._left > 0:
            self._left -= 1
            answer: Any = {
                "Error": {"Code": "InvalidArgument", "Message": "Unable to validate"},
                "ResponseMetadata": {"HTTPStatusCode": self._code},
            }
            raise ClientError(answer, "PutBucketNotificationConfiguration")
        self._s3.put_bucket_notification_configuration(**given)


@pytest.fixture
def s3(aws: None) -> Any:
    del aws
    client = boto3.client("s3")
    client.create_bucket(Bucket="landing")
    return client


@pytest.mark.parametrize("code", [400, 403])
def test_a_topic_is_told_of_what_is_created_below_the_prefixes(
    s3: Any, code: int
) -> None:
    events: Any = Refusing(s3, refusals=3, code=code)
    clock = FakeClock()
    ObjectEvents(s3=events, bucket="landing").tell(
        TOPIC, ["raw/", "runs/"], clock=clock
    )
    answer = s3.get_bucket_notification_configuration(Bucket="landing")
    told = {
        (one["TopicArn"], one["Events"][0], rule["Name"], rule["Value"])
        for one in answer["TopicConfigurations"]
        for rule in one["Filter"]["Key"]["FilterRules"]
    }
    created = "s3:ObjectCreated:*"
    assert told == {(TOPIC, created, "prefix", prefix) for prefix in ("raw/", "runs/")}


@pytest.mark.parametrize(("refusals", "code"), [(1000, 400), (1, 404)])
def test_a_refusal_that_does_not_pass_names_bucket_and_topic(
    s3: Any, refusals: int, code: int
) -> None:
    events: Any = Refusing(s3, refusals=refusals, code=code)
    with pytest.raises(LandingError, match=f"landing cannot tell {TOPIC}"):
        ObjectEvents(s3=events, bucket="landing").tell(TOPIC, [], clock=FakeClock())
