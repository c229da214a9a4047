"""A 200 whose body says that something failed is an error, on every page.

By words, as far out as an answer says it: `error`, `errors`, `errorMessages`, `fault`;
a `status` or `success` that says no; a `code` beside a message. What says that all is
well is no error: 0, 200 to 299, "ok", "success", true, null and what is empty.

Beside rows an error is one only where it cannot be anything else: GraphQL's partial
`errors`, a search that timed out in part. A list of builds may well stand in a pipeline
whose `status` is "failed".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from lambdas.core.errors import Terminal
from lambdas.core.records.documents import Document, bad_response, excerpt
from lambdas.core.records.envelope import Envelope, Node, Scalar, words_of
from lambdas.core.text.count import counted

_ERROR = frozenset({
    "error", "errors", "err", "fault", "faults", "exception", "exceptions", "failure",
    "failures",
})  # fmt: skip
_BESIDE_ERROR = frozenset({
    "message", "messages", "msg", "code", "description", "text", "detail", "details",
    "list", "info", "reason", "string", "type", "api", "graphql", "partial",
})  # fmt: skip
_SAYS_YES = frozenset({
    "success", "ok", "successful", "succeeded", "is_success", "result",
})  # fmt: skip
_SAYS_HOW = frozenset(
    {"status", "state", "outcome", "stat", "result", "response_status"}
)
_CODES = frozenset({
    "code", "status", "status_code", "error_code", "result_code", "return_code", "ret",
    "err_no", "retcode", "rc", "response_code", "http_code",
})  # fmt: skip
"""In words, as `words_of` takes names apart: `errno` is two."""
_FAILED = frozenset({
    "error", "err", "errors", "fail", "failed", "failure", "fault", "ko", "nok",
    "notok", "exception", "unauthorized", "denied", "forbidden", "invalid", "timeout",
    "timed_out", "aborted", "rejected", "unavailable", "exceeded", "throttled",
})  # fmt: skip
_WELL = frozenset({
    "", "0", "ok", "success", "successful", "succeeded", "true", "null", "none", "done",
    "no error", "no errors", "no_error", "found", "complete", "completed", "normal",
    "n/a", "request successful", "operation successful", "success.", "ok.", "200 ok",
})  # fmt: skip
_MESSAGES = frozenset({
    "message", "messages", "msg", "reason", "detail", "details", "description", "title",
    "error", "errmsg", "text", "info", "status_message", "error_message", "errors",
    "code",
})  # fmt: skip
_REFUSES = re.compile(
    r"(?<!\b0 )(?<!\bzero )(?<!\bwithout )\b(unavailable|errors?|den(?:y|ied)"
    r"|forbidden|unauthori[sz]ed|exceeded|time-?out|timed out|throttled"
    r"|maintenance|overloaded|fail(?:ed|ure)|expired|rejected"
    r"|aborted|exception|fatal|outage|bad gateway|too many requests|again later"
    r"|not (?:authori[sz]ed|allowed|permitted|healthy)|no healthy)\b",
    re.IGNORECASE,
)
_FINDS_NONE = re.compile(
    r"\W*(?:there (?:are|is|were|was) |(?:you |we )?(?:have |has |found ))?"
    r"(?:no|0|zero|none|nothing)\b"
    r"(?! (?:healthy|permission|access|route|longer|valid))",
    re.IGNORECASE,
)
"""Begins a sentence that says that there is none: "No failed jobs found"."""
_LOOKED_AT = 500
"""Characters of a message that are looked at."""
_TELLS_WHY = frozenset({
    "message", "messages", "msg", "reason", "detail", "details", "errmsg",
    "status_message", "error_message",
})  # fmt: skip
_CUT_SHORT = frozenset({
    "timed_out", "timedout", "incomplete_results", "incompleteresults",
})  # fmt: skip
_REMARK = ("remark",)
"""Overpass's only word for a query that ran out of time, beside the rows so far."""
_BARE = frozenset({
    "message", "msg", "detail", "details", "title", "description", "reason", "error",
    "timestamp", "path", "request_id", "requestid", "type", "instance", "trace_id",
})  # fmt: skip
_IDS = frozenset({"id", "_id", "uuid"})
_HTTP_ERROR = 400
_NUMBER = re.compile(r"-?[0-9]{1,30}\.?[0-9]{0,30}")


def refuse_failure(
    document: Document,
    envelope: Envelope,
    *,
    rows: int,
    is_record: bool = False,
    declared: bool = False,
) -> None:
    """Raise Terminal if the answer says that it failed.

    `rows` is how many records it holds. `is_record`: the document itself is taken for
    the only one, and by declaration if `declared`, which is believed.
    """
    if document.kind != "object" or (is_record and declared):
        return
    advice = _advice(rows=rows, is_record=is_record)
    found = sign_of_failure(
        document, envelope, rows=0 if is_record else rows, is_record=is_record
    )
    if found is not None:
        raise _failed(rows, found, advice)
    if is_record and is_message_alone(document):
        raise _failed(0, excerpt(document.body), advice)


def sign_of_failure(
    document: Document, envelope: Envelope, *, rows: int, is_record: bool
) -> str | None:
    """What in an answer of so many records says that it failed, in words, or None."""
    for node in envelope.nodes:
        if _is_error(node, document, rows=rows):
            return f"`{node.path}`: {_said(document, node)}"
    found = _refusal(envelope.nodes, rows=rows, is_record=is_record)
    if found is not None:
        return found
    failed = document.find("_shards.failed")
    if failed and bytes(failed[0]) not in {b"0", b"null"}:
        return f"`_shards.failed`: {bytes(failed[0]).decode()}"
    return None


def _advice(*, rows: int, is_record: bool) -> str:
    if is_record:
        return "if that is a record, set data_selector: $"
    if rows:
        return "ask for less, or for what does not fail"
    return (
        "if that is how it says that there is nothing, ignore it with response_actions"
    )


def _failed(rows: int, what: str, advice: str) -> Terminal:
    held = f"{counted(rows, 'record')} and" if rows else "no records and"
    return bad_response(f"the answer holds {held} an error, {what}; {advice}")


def _is_error(node: Node, document: Document, *, rows: int) -> bool:
    words = words_of(node.name)
    found = set(words)
    if "_".join(words) in _CUT_SHORT:
        return node.value is True
    if words == _REMARK:
        return speaks_of_failure(str(node.value))
    # what stands in a list was looked at as a whole
    is_part = any(isinstance(step, int) for step in node.way)
    if is_part or not found & _ERROR or not found <= _ERROR | _BESIDE_ERROR:
        return False
    if node.kind in {"object", "array"}:
        return not node.is_empty and not _is_well_within(_raw(document, node))
    return _tells_error(node.value, document, rows=rows)


def _tells_error(value: Scalar, document: Document, *, rows: int) -> bool:
    if isinstance(value, bool):
        return value
    # beside rows a number counts something, and an object with an id holds its own
    is_doubtful = isinstance(value, int | float) or not _IDS.isdisjoint(
        document.members
    )
    if rows and is_doubtful:
        return False
    return not _is_well(value) and not str(value).startswith("http")


def _refusal(nodes: Iterable[Node], *, rows: int, is_record: bool) -> str | None:
    """A status that says no, or a code with a message; not a record's, with an id."""
    level: dict[object, list[Node]] = {}
    for node in nodes:
        if not any(isinstance(step, int) for step in node.way):
            level.setdefault(node.way[:-1], []).append(node)
    for beside in level.values():
        if (rows or is_record) and any(one.name in _IDS for one in beside):
            continue
        messages = [one for one in beside if _is_message(one)]
        for node in beside:
            # a code may be a message as well, and is none of its own
            message = next((one for one in messages if one is not node), None)
            name = "_".join(words_of(node.name))
            said = f"`{node.path}` is {_shown(node.value)}"
            if message is not None:
                said += f" and `{message.path}` {_shown(message.value)}"
            # in so many words of the whole answer
            is_clear = name in _SAYS_YES and len(node.way) == 1 and not is_record
            if _says_no(name, node.value) and (message or not rows or is_clear):
                return said
            is_code = name in _CODES and not _is_well(node.value)
            is_http = name != "code" and _is_http_error(node.value)
            if is_code and not rows and (message or is_http or _speaks_of(node.value)):
                return said
            is_why = not is_record and not rows and name in _TELLS_WHY
            if is_why and speaks_of_failure(str(node.value or "")):
                return said
    return None


def speaks_of_failure(text: str) -> bool:
    """Whether a sentence says that something failed: "Service unavailable"."""
    if _FINDS_NONE.match(text):
        return False
    return _REFUSES.search(text, 0, _LOOKED_AT) is not None


def _says_no(name: str, value: object) -> bool:
    if name in _SAYS_YES and (value is False or str(value).lower() == "false"):
        return True
    return name in _SAYS_HOW and str(value).strip().lower() in _FAILED


def _speaks_of(code: object) -> bool:
    """Whether a code is a word for a failure: `ERR`, `RATE_LIMIT_EXCEEDED`."""
    return not _FAILED.isdisjoint(words_of(str(code)))


def _is_message(node: Node) -> bool:
    name = "_".join(words_of(node.name))
    if name not in _MESSAGES or isinstance(node.value, bool):
        return False
    if node.kind in {"object", "array"}:
        return not node.is_empty
    return not _is_well(node.value)


def _is_http_error(value: object) -> bool:
    text = str(value)
    return text.isdecimal() and _HTTP_ERROR <= int(text[:9]) < 600  # noqa: PLR2004 - the last status


def _is_well(value: object) -> bool:
    """0, 200 to 299, "ok", "success", true, null and what is empty."""
    if value is None or value is True:
        return True
    text = str(value).strip().lower()
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number == 0 or 200 <= number < 300  # noqa: PLR2004 - HTTP's success
    return text in _WELL


def _is_well_within(raw: msgspec.Raw | None) -> bool:
    """Whether all that stands in it says that all is well: `{"code": 0}`."""
    value: object = None if raw is None else msgspec.json.decode(raw)
    waiting = [value]
    while waiting:
        one = waiting.pop()
        match one:
            case dict():
                waiting.extend(one.values())
            case list():
                waiting.extend(one)
            case False:
                pass
            case _:
                if not _is_well(one):
                    return False
    return True


def is_message_alone(document: Document) -> bool:
    """`{"message": "Internal server error"}`: all that is there tells of a failure."""
    if len(document.members) > len(_BARE):
        return False
    names = {"_".join(words_of(name)) for name in document.members}
    return bool(names & {"message", "msg", "detail", "error"}) and names <= _BARE


def _raw(document: Document, node: Node) -> msgspec.Raw | None:
    found = document.find(node.path)
    return found[0] if found else None


def _said(document: Document, node: Node) -> str:
    raw = _raw(document, node)
    return excerpt(bytes(raw)) if raw is not None else "?"


def _shown(value: object) -> str:
    return excerpt(msgspec.json.encode(value))
