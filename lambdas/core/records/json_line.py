"""A line of JSON Lines that is no record: the error at which an export broke off, or
the whole JSON document of an API that does not know the format.
"""

from __future__ import annotations

from collections.abc import Collection

from lambdas.core.errors import Terminal
from lambdas.core.records.documents import Document, bad_response, elements, excerpt
from lambdas.core.records.envelope import Envelope
from lambdas.core.records.failure import is_message_alone, sign_of_failure
from lambdas.core.records.json_path import kind_of
from lambdas.core.records.select import COMMON, is_of_a_page

_ADVICE = "if that is a record, declare primary_key or columns"


def refuse_no_record(
    first: bytes, last: bytes, *, rows: int, needed: Collection[str]
) -> None:
    """Raise Terminal(kind=response) if the last of an answer's `rows` lines is no
    record. A line that shares a name with the first, or with those that the dataset
    speaks of (`needed`), is one.
    """
    try:
        line = Document(last)
        alike = {*needed, *(Document(first).members if rows > 1 else ())}
    except Terminal:
        return  # it lands, and a contract judges what cannot be taken apart
    if line.kind != "object" or not alike.isdisjoint(line.members):
        return
    held = _page_within(line) if rows == 1 else None
    if held is not None:
        raise bad_response(
            f"expected JSON Lines, got one JSON document, {held}; declare "
            f"`format: json`; {_ADVICE}"
        )
    found = sign_of_failure(line, Envelope(line, None), rows=0, is_record=False)
    if found is None and is_message_alone(line):
        found = excerpt(last)
    if found is not None:
        where = "the answer's only line" if rows == 1 else f"its last of {rows} lines"
        raise bad_response(f"{where} is an error, not a record, {found}; {_ADVICE}")


def _page_within(line: Document) -> str | None:
    """Where a document holds a page of records, in words."""
    if not line.members:
        return "which is empty"
    listed = [
        name
        for name, value in line.members.items()
        if kind_of(value) == "array" and not is_of_a_page(name)
    ]
    rest = line.members.keys() - set(listed)
    if len(listed) != 1 or not all(map(is_of_a_page, rest)):
        return None
    (name,) = listed
    rows = elements(line.members[name])
    if not (rest or name in COMMON) or any(kind_of(one) != "object" for one in rows):
        return None
    return f"with its records in `{name}`"
