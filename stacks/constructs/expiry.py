"""How long landed objects are kept, as rules of the bucket.

A bucket has at most 1,000 rules, and where several match, the shortest wins. So one
rule holds for all, at the longest retention anybody declared, and only a dataset that
wants less has a rule of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3

from lambdas.core.dataset import Catalogue, Retention
from lambdas.core.errors import BadInput
from lambdas.core.landing.names import ARCHIVE, MANIFESTS, QUARANTINE, RAW, RUNS

MAX_RULES = 900
"""Below S3's 1,000, with room for the rules that are not about datasets."""


def expiry_rules(catalogue: Catalogue) -> list[s3.LifecycleRule]:
    """The expiry rules; BadInput if too many datasets want one of their own."""
    retentions = {
        name: dataset.retention for name, dataset in catalogue.datasets.items()
    }
    raw = {name: _days(kept.raw) for name, kept in retentions.items()}
    quarantine = {name: _days(kept.quarantine) for name, kept in retentions.items()}
    default = Retention()
    rules = [
        *_rules_below(RAW, raw, _days(default.raw)),
        *_rules_below(QUARANTINE, quarantine, _days(default.quarantine)),
        # A run file says what the raw objects beside it hold: they go together.
        *_rules_below(RUNS, raw, _days(default.raw)),
        # What is left of raw objects of which rows were erased.
        *_rules_below(ARCHIVE, raw, _days(default.raw)),
        # Read only while a run is committing, which alarms after an hour.
        _expire(MANIFESTS, 90),
    ]
    if len(rules) > MAX_RULES:
        raise BadInput(
            f"retention: {len(rules)} rules of expiry are needed, a bucket takes "
            f"{MAX_RULES}; let more datasets keep the longest retention that occurs"
        )
    return rules


def _rules_below(
    prefix: str, days_of: Mapping[str, int], default: int
) -> list[s3.LifecycleRule]:
    longest = max(days_of.values(), default=default)
    return [
        _expire(prefix, longest),
        *(
            _expire(f"{prefix}{name}/", days)
            for name, days in sorted(days_of.items())
            if days < longest
        ),
    ]


def _expire(prefix: str, days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id=f"{prefix.rstrip('/').replace('/', '-')}-{days}-days",
        prefix=prefix,
        expiration=Duration.days(days),
    )


def _days(text: str) -> int:
    return int(text.split(maxsplit=1)[0])
