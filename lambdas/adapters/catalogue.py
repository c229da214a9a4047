"""The datasets as the newest deploy published them: one object on S3."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.clients import client
from lambdas.adapters.environment import settings
from lambdas.adapters.fresh_policy import once_allowed, status
from lambdas.core.dataset import Catalogue, catalogue_from_json
from lambdas.core.errors import LandingError
from lambdas.core.ports import Clock
from lambdas.core.settings import CatalogueSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class PublishedCatalogue:
    """The object at `key`. S3 replaces it whole, so that whoever reads it has one
    version or the other.
    """

    def __init__(self, *, s3: S3Client, bucket: str, key: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._kept: tuple[str, Catalogue] | None = None

    def read(self) -> Catalogue:
        """The newest version; parsed once, as long as it stays the same.

        Raises LandingError if it cannot be read.
        """
        kept = self._kept
        try:
            answer = (
                self._s3.get_object(Bucket=self._bucket, Key=self._key)
                if kept is None
                else self._s3.get_object(
                    Bucket=self._bucket, Key=self._key, IfNoneMatch=kept[0]
                )
            )
            content = answer["Body"].read()
        except (BotoCoreError, ClientError) as error:
            if kept is not None and status(error) == HTTPStatus.NOT_MODIFIED:
                return kept[1]
            raise LandingError(
                f"the datasets at s3://{self._bucket}/{self._key} cannot be read: "
                f"{error}"
            ) from error
        catalogue = catalogue_from_json(content)
        self._kept = (answer["ETag"], catalogue)
        return catalogue

    def publish(self, *, bucket: str, key: str, clock: Clock) -> None:
        """Let the object at `key` of another bucket be the newest version.

        Raises LandingError if S3 still refuses once a new policy must count.
        """
        try:
            once_allowed(
                lambda: self._s3.copy_object(
                    Bucket=self._bucket,
                    Key=self._key,
                    CopySource={"Bucket": bucket, "Key": key},
                ),
                clock=clock,
            )
        except (BotoCoreError, ClientError) as error:
            raise LandingError(
                f"s3://{bucket}/{key} cannot be copied to "
                f"s3://{self._bucket}/{self._key}: {error}"
            ) from error


@cache
def published() -> PublishedCatalogue:
    """Where the datasets stand; what was read of them lives with the process."""
    known = settings(CatalogueSettings)
    return PublishedCatalogue(
        s3=client("s3"), bucket=known.landing_bucket, key=known.catalogue_key
    )


def catalogue() -> Catalogue:
    """The datasets as the newest deploy has them; asked for once an invocation, so
    that all of it is of one version. Raises LandingError.
    """
    return published().read()
