"""The published datasets: read anew when they have changed, replaced whole."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.catalogue import PublishedCatalogue
from lambdas.core.dataset import Catalogue, catalogue_key, catalogue_to_json
from lambdas.core.errors import LandingError
from tests.datasets import a_dataset
from tests.memory import FakeClock

KEY = "catalogue/1.json"


@pytest.fixture
def s3(aws: None) -> Any:
    del aws
    client = boto3.client("s3")
    client.create_bucket(Bucket="landing")
    client.create_bucket(Bucket="uploads")
    return client


def upload(s3: Any, *names: str) -> None:
    datasets = {name: a_dataset(name=name) for name in names}
    document = catalogue_to_json(Catalogue(datasets=datasets)).encode()
    s3.put_object(Bucket="uploads", Key="a.json", Body=document)


def published(s3: Any) -> PublishedCatalogue:
    return PublishedCatalogue(s3=s3, bucket="landing", key=KEY)


def publish(s3: Any, clock: FakeClock | None = None) -> None:
    published(s3).publish(bucket="uploads", key="a.json", clock=clock or FakeClock())


def test_who_has_read_one_version_reads_the_next(s3: Any) -> None:
    upload(s3, "cats")
    publish(s3)
    reader = published(s3)
    first = reader.read()
    assert set(first.datasets) == {"cats"}
    assert reader.read() is first
    upload(s3, "cats", "dogs")
    publish(s3)
    assert set(reader.read().datasets) == {"cats", "dogs"}
    assert set(first.datasets) == {"cats"}


def test_datasets_that_cannot_be_read_are_an_error_and_never_none(s3: Any) -> None:
    with pytest.raises(LandingError, match=r"s3://landing/catalogue/1\.json cannot be"):
        published(s3).read()
    upload(s3, "cats")
    publish(s3)
    reader = published(s3)
    reader.read()
    s3.delete_object(Bucket="landing", Key=KEY)
    with pytest.raises(LandingError, match="cannot be read"):
        reader.read()


class Refusing:
    """An S3 whose policies count a few calls late, or never."""

    def __init__(self, s3: Any, *, refusals: int, code: int = 403) -> None:
        self._s3, self._left, self._code = s3, refusals, code

    def copy_object(self, **given: Any) -> Any:
        if self._left > 0:
            self._left -= 1
            answer: Any = {
                "Error": {"Code": "AccessDenied", "Message": "no"},
                "ResponseMetadata": {"HTTPStatusCode": self._code},
            }
            raise ClientError(answer, "CopyObject")
        return self._s3.copy_object(**given)

    def get_object(self, **given: Any) -> Any:
        return self._s3.get_object(**given)


def test_a_policy_that_counts_late_is_waited_for(s3: Any) -> None:
    upload(s3, "cats")
    clock = FakeClock()
    publish(Refusing(s3, refusals=4), clock)
    assert set(published(s3).read().datasets) == {"cats"}


@pytest.mark.parametrize(("refusals", "code"), [(1000, 403), (1, 404)])
def test_what_will_not_pass_by_waiting_is_an_error(
    s3: Any, refusals: int, code: int
) -> None:
    upload(s3, "cats")
    with pytest.raises(LandingError, match=r"s3://uploads/a\.json cannot be copied"):
        publish(Refusing(s3, refusals=refusals, code=code))


def test_another_model_has_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that functions of before a deploy never read what they do not know."""
    before = catalogue_key()
    assert before == catalogue_key.__wrapped__()
    monkeypatch.setattr(Catalogue, "model_json_schema", lambda: {"title": "other"})
    assert catalogue_key.__wrapped__() != before
    assert before.startswith("catalogue/")
