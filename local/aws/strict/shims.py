"""Where the embedded AWS is stricter than the stand-in it is made of.

One row each: what AWS does, what moto does, and what makes moto do as AWS does. The
table in README.md is written from here (`python -m local.aws.strict.shims`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from local.aws.strict import cloudformation
from local.snowflake.json_rows import RULES

STAND_IN = "moto 5.2.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shim:
    """One difference, and what removes it. `install` is the dotted name of a function
    without parameters, called once in the process that holds the stand-in.
    """

    name: str
    real: str
    stand_in: str
    install: str
    source: str


SHIMS: tuple[Shim, ...] = (
    Shim(
        name="identity policies",
        real="every call is checked for its action, its resource and its conditions; "
        "a denial names the action",
        stand_in="resources are checked for S3 and SQS only, all others are asked "
        "for `*`, so that a grant on an ARN is refused; conditions are ignored",
        install="local.aws.strict.iam.install",
        source="IAM user guide, Policy evaluation logic; Service Authorization "
        "Reference",
    ),
    Shim(
        name="isolated transactions",
        real="a cancelled TransactWriteItems leaves other writers' items alone",
        stand_in="puts back a copy of the whole table, made before it began: "
        "acknowledged writes of others are lost",
        install="local.aws.strict.dynamodb.install",
        source="DynamoDB developer guide, Isolation levels for transactions",
    ),
    Shim(
        name="missing key without ListBucket",
        real="HEAD or GET of a missing key is 403 for who lacks s3:ListBucket",
        stand_in="404",
        install="local.aws.strict.s3.install_missing_key_needs_list",
        source="S3 API reference, HeadObject, Permissions",
    ),
    Shim(
        name="part checksums on completion",
        real="InvalidRequest if the upload has a ChecksumAlgorithm and a part of the "
        "completion has no checksum",
        stand_in="completes",
        install="local.aws.strict.s3.install_part_checksums",
        source="S3 user guide, Checking object integrity",
    ),
    Shim(
        name="an upload is completed once",
        real="a repeated completion can answer NoSuchUpload, and an unknown upload "
        "does",
        stand_in="a repeated completion answers 200, an unknown upload 500",
        install="local.aws.strict.s3.install_completed_once",
        source="S3 API reference, CompleteMultipartUpload, Special errors",
    ),
    Shim(
        name="one event an upload",
        real="a completed upload fires ObjectCreated:CompleteMultipartUpload",
        stand_in="fires ObjectCreated:Put for the same key as well",
        install="local.aws.strict.s3.install_one_event_an_upload",
        source="S3 user guide, Supported event types",
    ),
    Shim(
        name="slashes in the keys of events",
        real="`raw/a b` is told of as `raw/a+b`",
        stand_in="as `raw%2Fa+b`",
        install="local.aws.strict.s3.install_slashes_in_event_keys",
        source="S3 user guide, Event message structure",
    ),
    Shim(
        name="a topic admits S3",
        real="a bucket is set to tell a topic, and tells it, only if the topic's "
        "policy lets S3 publish",
        stand_in="asks no policy",
        install="local.aws.strict.s3.install_topic_admits_s3",
        source="S3 user guide, Granting permissions to publish event notification "
        "messages to a destination",
    ),
    Shim(
        name="deduplication outlives the message",
        real="a FIFO queue knows a deduplication id for five minutes, deleted or not",
        stand_in="forgets it with the message",
        install="local.aws.strict.sqs.install",
        source="SQS developer guide, Exactly-once processing in Amazon SQS",
    ),
)


def install_all() -> None:
    """Make the stand-in in this process as strict as AWS. Call once, before serving."""
    from pkgutil import resolve_name  # noqa: PLC0415 - only the serving process needs it

    for shim in SHIMS:
        install: Callable[[], None] = resolve_name(
            ":".join(shim.install.rsplit(".", 1))
        )
        install()


def table() -> str:
    """The rows as the README shows them."""
    lines = [
        "# Where the embedded AWS is stricter than its stand-in",
        "",
        (
            f"The stand-in is {STAND_IN}. Each row has a test in "
            "`tests/local/test_shims.py` that asks both, with and without the shim. "
            "This file is written by `make generate`."
        ),
        "",
        "| what | AWS | the stand-in | shim | source |",
        "|---|---|---|---|---|",
        *(
            f"| {shim.name} | {shim.real} | {shim.stand_in} | `{shim.install}` "
            f"| {shim.source} |"
            for shim in SHIMS
        ),
        "",
        "# By which rules of CloudFormation stacks live",
        "",
        (
            "The stand-in's own CloudFormation deploys nothing of ours: "
            "`local.aws.cloudformation` does. Each rule has a test of its name in "
            "`tests/local/test_cloudformation.py`."
        ),
        "",
        "| rule | source |",
        "|---|---|",
        *(f"| {rule} | {source} |" for rule, source in cloudformation.RULES.items()),
        "",
        "# Where the embedded Snowflake is stricter than DuckDB",
        "",
        (
            "Each row is a kind of record that a COPY refuses, held by "
            "`tests/unit/core/loading/test_refusal.py`; where Snowflake's behaviour is "
            "not documented, the embedded one is the stricter. Besides, "
            "VALIDATE_PIPE_LOAD answers an error for a pipe whose COPY has a SELECT "
            '(Snowflake: "VALIDATE_PIPE_LOAD", usage notes).'
        ),
        "",
        "| what | Snowflake | DuckDB | shim | source |",
        "|---|---|---|---|---|",
        *(
            f"| {rule.name} | {rule.real} | {rule.stand_in} | "
            f"`local.snowflake.json_rows.refusal` | {rule.source} |"
            for rule in RULES
        ),
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(table(), end="")
