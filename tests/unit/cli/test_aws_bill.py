"""What AWS billed, asked of a Cost Explorer that answers from a list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from cli.deployed.environment import Deployed
from cli.deployed.usage import aws_billed

SINCE = datetime(2026, 11, 16, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=7)
TAGS = {"project": "catflap", "environment": "prod"}


class FakeExplorer:
    def __init__(self, *answers: dict[str, Any] | ClientError) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers = iter(answers)

    def get_cost_and_usage(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(dict(asked))
        answer = next(self._answers)
        if isinstance(answer, ClientError):
            raise answer
        return answer


def billed(explorer: FakeExplorer, tags: dict[str, str]) -> str:
    environment = SimpleNamespace(
        name="prod", account="123456789012", region="us-east-1", tags=tags
    )
    reached = SimpleNamespace(environment=environment, aws=lambda _: explorer)
    (said,) = aws_billed(cast("Deployed", reached), SINCE, UNTIL)
    return said


def a_day(**services: float) -> dict[str, Any]:
    return {
        "Groups": [
            {"Keys": [name], "Metrics": {"UnblendedCost": {"Amount": str(usd)}}}
            for name, usd in services.items()
        ]
    }


def test_the_bill_of_a_week_is_added_up_by_service_over_all_pages() -> None:
    explorer = FakeExplorer(
        {"ResultsByTime": [a_day(S3=0.5, Lambda=1)], "NextPageToken": "next"},
        {"ResultsByTime": [a_day(S3=0.25), a_day(Lambda=1)]},
    )
    assert billed(explorer, TAGS) == (
        "$2.75 by Cost Explorer (environment=prod, project=catflap): "
        "Lambda $2.00, S3 $0.75"
    )
    first, second = explorer.asked
    assert first["TimePeriod"] == {"Start": "2026-11-16", "End": "2026-11-23"}
    assert len(first["Filter"]["And"]) == 2
    assert second["NextPageToken"] == "next"


@pytest.mark.parametrize(
    ("answer", "tags", "said"),
    [
        ({"ResultsByTime": []}, TAGS, "activate the tags for cost allocation"),
        ({"ResultsByTime": []}, {}, "declares no `tags`"),
        (
            ClientError(
                {"Error": {"Code": "AccessDeniedException"}}, "GetCostAndUsage"
            ),
            TAGS,
            "Cost Explorer: ",
        ),
    ],
    ids=["not activated", "no tags", "denied"],
)
def test_where_there_is_no_bill_it_says_why(
    answer: dict[str, Any] | ClientError, tags: dict[str, str], said: str
) -> None:
    found = billed(FakeExplorer(answer), tags)
    assert found.startswith("not known: ")
    assert said in found
