"""Answers with status 200 that say that something failed, word by word."""

from __future__ import annotations

import json

import pytest

from lambdas.core.errors import Terminal
from lambdas.core.records.documents import Document
from lambdas.core.records.envelope import Envelope
from lambdas.core.records.failure import refuse_failure

ERRORS = [
    *("error", "errors", "err", "fault", "faults", "exception", "exceptions"),
    *("failure", "failures"),
]
SAYS_YES = ["success", "ok", "successful", "succeeded", "is_success", "result"]
SAYS_HOW = ["status", "state", "outcome", "stat", "result", "response_status"]
FAILED = [
    *("error", "err", "errors", "fail", "failed", "failure", "fault", "ko", "nok"),
    *("notok", "exception", "unauthorized", "denied", "forbidden", "invalid"),
    *("timeout", "timed_out", "aborted", "rejected", "unavailable", "exceeded"),
    "throttled",
]
CODES = [
    *("code", "status", "status_code", "statuscode", "error_code", "result_code"),
    *("return_code", "ret", "errno", "retcode", "rc", "response_code", "http_code"),
]
WELL = [
    *("", "0", "200", "204", "0.0", "ok", "success", "successful", "succeeded", "true"),
    *("null", "none", "done", "no error", "no errors", "no_error", "found", "complete"),
    *("completed", "normal", "n/a", "request successful", "operation successful"),
    *("success.", "ok.", "200 ok", " OK "),
]
MESSAGES = [
    *("message", "messages", "msg", "reason", "detail", "details", "description"),
    *("title", "error", "errmsg", "text", "info", "status_message", "error_message"),
    *("errors", "code"),
]
CUT_SHORT = ["timed_out", "timedOut", "incomplete_results", "incompleteResults"]


def said(document: object, *, rows: int = 0, is_record: bool = False) -> str | None:
    """What an answer is refused by, if it is."""
    read = Document(json.dumps(document).encode())
    try:
        refuse_failure(
            read, Envelope(read, "$" if is_record else "rows"), rows=rows,
            is_record=is_record,
        )  # fmt: skip
    except Terminal as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", ERRORS)
def test_a_name_that_is_an_error_is_one(name: str) -> None:
    told = said({name: "quota used up"})
    assert told == (
        f'the answer holds no records and an error, `{name}`: "quota used up"; if that '
        "is how it says that there is nothing, ignore it with response_actions"
    )
    assert said({name: "x"}, rows=2) is not None


@pytest.mark.parametrize("value", [*WELL, None, 0, 200, 299, False, [], {}, "http://x"])
def test_an_error_that_says_that_all_is_well_is_none(value: object) -> None:
    assert said({"error": value}) is None
    assert said({"error": {"code": value}}) is None or value == "http://x"


@pytest.mark.parametrize("value", [True, 1, 300, 500, -1, "1.2.3", "no", {"code": 7}])
def test_all_else_under_that_name_is_an_error(value: object) -> None:
    assert said({"error": value}) is not None


def test_beside_rows_a_number_counts_and_an_object_with_an_id_tells_of_itself() -> None:
    assert said({"errors": 3}, rows=1) is None
    assert said({"errors": 3}) is not None
    for name in ("id", "_id", "uuid"):
        assert said({name: 7, "error": "old"}, rows=1) is None
        assert said({name: 7, "error": "old"}) is not None


@pytest.mark.parametrize("word", FAILED)
@pytest.mark.parametrize("name", SAYS_HOW)
def test_a_status_in_a_word_that_says_no_is_a_failure(name: str, word: str) -> None:
    assert said({name: word.upper()}) is not None
    assert said({name: word, "text": "quota used up"}, rows=2) is not None
    is_clear = name == "result"  # which says yes or no, and not how far it came
    assert (said({name: word}, rows=2) is not None) is is_clear


@pytest.mark.parametrize("name", SAYS_YES)
@pytest.mark.parametrize("value", [False, "false", "False"])
def test_a_success_that_is_none_is_a_failure(name: str, value: object) -> None:
    assert said({name: value}) is not None
    assert said({name: value}, rows=2) is not None
    assert said({name: value, "id": 7}, rows=2) is None


@pytest.mark.parametrize("name", CODES)
def test_a_code_is_a_failure_beside_a_message_or_if_it_speaks(name: str) -> None:
    assert (said({name: 7}) is None) is (name != "error_code")
    assert said({name: 7, "text": "quota used up"}) is not None
    assert said({"text": "quota used up", name: 7}) is not None
    assert said({name: "RATE_LIMIT_EXCEEDED"}) is not None
    assert said({name: 7, "text": "quota used up"}, rows=2) is None
    assert (said({name: 503}) is None) is (name == "code")


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_what_stands_beside_a_status(name: str) -> None:
    document = {"status": "failed", name: "quota used up"}
    assert "quota used up" in str(said(document, rows=2))


@pytest.mark.parametrize("name", CUT_SHORT)
def test_a_search_that_was_cut_short_is_no_whole_answer(name: str) -> None:
    assert said({name: True}, rows=2) is not None
    assert said({name: False}, rows=2) is None


def test_what_to_do_is_said_of_a_record_of_rows_and_of_none() -> None:
    document = {"error": "quota used up"}
    assert str(said(document)).endswith("ignore it with response_actions")
    assert str(said(document, rows=2)).startswith("the answer holds 2 records and an e")
    assert str(said(document, rows=2)).endswith(
        "ask for less, or for what does not fail"
    )
    assert str(said(document, is_record=True)).endswith("set data_selector: $")


WHY = [
    *("message", "messages", "msg", "reason", "detail", "details", "errmsg"),
    *("status_message", "error_message"),
]
BARE = [
    *("message", "msg", "detail", "details", "title", "description", "reason", "error"),
    *("timestamp", "path", "request_id", "requestId", "type", "instance", "trace_id"),
]
BESIDE_ERROR = [
    *("message", "messages", "msg", "code", "description", "text", "detail", "details"),
    *("list", "info", "reason", "string", "type", "api", "graphql", "partial"),
]


@pytest.mark.parametrize("name", WHY)
def test_a_message_without_rows_that_speaks_of_a_failure_is_one(name: str) -> None:
    assert said({name: "Service unavailable", "page": 1}) is not None
    is_error_by_name = name in {"errmsg", "error_message"}
    fine = said({name: "Served without errors", "page": 1})
    assert (fine is None) is not is_error_by_name
    beside = said({name: "Service unavailable", "page": 1}, rows=2)
    assert (beside is None) is not is_error_by_name


@pytest.mark.parametrize("name", BESIDE_ERROR)
def test_a_name_of_an_error_and_of_what_it_says_is_an_error(name: str) -> None:
    assert said({f"error_{name}": "quota used up"}) is not None
    assert said({"error_budget": "quota used up"}) is None


@pytest.mark.parametrize("name", BARE)
def test_a_record_that_is_nothing_but_a_message_is_none(name: str) -> None:
    for told in ("message", "msg", "detail"):
        assert said({told: "Not today", name: "x"}, is_record=True) is not None
        assert said(
            {told: "Not today", name: "x", "cat": 1}, is_record=True
        ) is None or (name == "error")


def test_shards_that_failed_are_an_error_beside_rows_too() -> None:
    assert "`_shards.failed`: 2" in str(said({"_shards": {"failed": 2}}, rows=3))
    for well in (0, None):
        assert said({"_shards": {"failed": well}}, rows=3) is None
