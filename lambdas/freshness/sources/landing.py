"""The landing zone: what lies there of a dataset."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from lambdas.core.dataset import Dataset
from lambdas.core.facts import LandedObjects


class LandedListing(Protocol):
    """The objects under `raw/`, of all generations."""

    def recent(self, dataset: str, *, now: datetime) -> LandedObjects:
        """Those of the newest day there is, and of the last days."""


class LandingSource:
    """Lists the bucket: S3's lists are strongly consistent, records of ours are not
    what Snowpipe sees.
    """

    def __init__(self, *, listing: LandedListing) -> None:
        self._listing = listing

    def collect(self, dataset: Dataset, *, now: datetime) -> LandedObjects:
        """What landed lately. Raises LandingError if the bucket cannot be listed."""
        return self._listing.recent(dataset.name, now=now)
