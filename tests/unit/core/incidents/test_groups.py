from __future__ import annotations

from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.groups import batches_of
from lambdas.core.incidents.incident import Recipient, advance
from lambdas.core.incidents.incident import Recipient as TellAudience
from lambdas.core.incidents.notice import Notice, notices
from tests.datasets import a_dataset
from tests.watched import NOW, a_verdict


def of_api(name: str, api: str, cause: str = "upstream_down") -> Notice:
    source = {
        "client": {"base_url": f"https://{api}/v1/"},
        "endpoint": {"path": "cats", "incremental": {"cursor_path": "at"}},
    }
    tell = frozenset({TellAudience.ENGINEERS})
    verdict = a_verdict("error", cause, dataset=name, page=True, tell=tell)
    (notice,) = notices(
        advance(None, verdict, now=NOW),
        verdict,
        subject=context_of(a_dataset(name=name, source=source)),
        routes={Recipient.ENGINEERS: ["slack"]},
        now=NOW,
    )
    return notice


def test_two_apis_that_are_down_are_two_messages() -> None:
    waiting = [of_api(f"a{number}", "one.example.com") for number in range(5)]
    waiting += [of_api(f"b{number}", "two.example.com") for number in range(5)]
    headlines = [batch.message.headline for batch in batches_of(waiting)]
    assert headlines == [
        "[page] 5 datasets late: The source does not answer (one.example.com)",
        "[page] 5 datasets late: The source does not answer (two.example.com)",
    ]


def test_a_cause_that_is_no_apis_is_one_message_for_all() -> None:
    waiting = [
        of_api(f"c{number}", f"{number}.example.com", "pipe_stopped")
        for number in range(5)
    ]
    (batch,) = batches_of(waiting)
    assert batch.message.headline == (
        "[page] 5 datasets late: Loading into the warehouse is stopped; the data waits "
        "to be loaded"
    )
