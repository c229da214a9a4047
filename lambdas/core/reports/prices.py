"""What AWS and Snowflake ask for: every price that an estimate reckons with.

List prices of us-east-1 before free tiers, read on `READ`; other regions and contracts
differ by some percent. To bring them up to date change this file, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

READ = date(2026, 11, 28)
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD for one `unit`; of Snowflake, credits. `source` is where it was read."""

    each: float
    unit: str
    source: str
    is_credits: bool = False


PRICES: dict[str, Price] = {
    "lambda_requests": Price(
        each=0.20 / _MILLION, unit="invocations", source="AWS Lambda pricing"
    ),
    "lambda_gb_seconds": Price(
        each=0.0000133334, unit="GB-seconds (arm64)", source="AWS Lambda pricing"
    ),
    "scheduler": Price(
        each=1.00 / _MILLION, unit="ticks", source="Amazon EventBridge pricing"
    ),
    "events": Price(
        each=1.00 / _MILLION, unit="events", source="Amazon EventBridge pricing"
    ),
    "sqs_fifo": Price(
        each=0.50 / _MILLION, unit="requests", source="Amazon SQS pricing"
    ),
    "sns": Price(each=0.50 / _MILLION, unit="publishes", source="Amazon SNS pricing"),
    "dynamodb_writes": Price(
        each=0.625 / _MILLION,
        unit="write units of 1 KB",
        source="Amazon DynamoDB pricing, on demand",
    ),
    "dynamodb_reads": Price(
        each=0.125 / _MILLION,
        unit="read units of 4 KB",
        source="Amazon DynamoDB pricing, on demand",
    ),
    "dynamodb_gb": Price(
        each=0.25 + 0.20,
        unit="GB-months with point-in-time recovery",
        source="Amazon DynamoDB pricing",
    ),
    "s3_puts": Price(
        each=0.005 / 1_000, unit="PUT requests", source="Amazon S3 pricing"
    ),
    "s3_gets": Price(
        each=0.0004 / 1_000, unit="GET requests", source="Amazon S3 pricing"
    ),
    "s3_gb": Price(each=0.023, unit="GB-months", source="Amazon S3 pricing"),
    "kms_keys": Price(each=1.00, unit="keys", source="AWS KMS pricing"),
    "kms_requests": Price(
        each=0.03 / 10_000, unit="requests", source="AWS KMS pricing"
    ),
    "secrets": Price(each=0.40, unit="secrets", source="AWS Secrets Manager pricing"),
    "alarms": Price(each=0.10, unit="alarms", source="Amazon CloudWatch pricing"),
    "metrics": Price(each=0.30, unit="metrics", source="Amazon CloudWatch pricing"),
    "logs_gb": Price(
        each=0.50, unit="GB of logs taken in", source="Amazon CloudWatch pricing"
    ),
    "nat_hours": Price(
        each=0.045 + 0.005,
        unit="hours of a NAT gateway with its address",
        source="Amazon VPC pricing",
    ),
    "nat_gb": Price(
        each=0.045, unit="GB through a NAT gateway", source="Amazon VPC pricing"
    ),
    "snowpipe_gb": Price(
        each=0.0037,
        unit="GB loaded, uncompressed",
        source="Snowflake release note: Snowpipe simplified pricing, 8 December 2025",
        is_credits=True,
    ),
    "wake_ups": Price(
        each=1 / 60,
        unit="wake-ups of an XS warehouse, a minute each",
        source="Snowflake: Understanding compute cost",
        is_credits=True,
    ),
}
