"""The row of a CSV that names its fields, and what is taken for one by mistake.

A CSV says nothing of itself: an apology in plain words ("Service temporarily
unavailable"), a page or a document reads as a header without rows, and the pull would
end well with none. So what names no field that the dataset speaks of is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from lambdas.core.errors import Terminal
from lambdas.core.records.documents import bad_response, excerpt
from lambdas.core.records.failure import speaks_of_failure
from lambdas.core.records.primary_key import similar

MAX_FIELD_NAME = 1_024
"""Characters of a name in a CSV's first row, which every record repeats."""
_SHOWN_NAMES = 20
_DELIMITERS = ";\t|,"
_DOCUMENTS = {"<": "a page of HTML or XML", "{": "JSON", "[": "JSON"}
_NO_NAME = frozenset({"null", "none", "nil", "undefined", "false", "true", "ok"})
_SENTENCE = 3
"""Words from which on a name that speaks of a failure is a sentence."""
_VALUE = re.compile(r"[-+]?\d+([.,]\d+)?|\d{4}-\d\d-\d\d([T ]\d.*)?")
"""Numbers and times."""


def refuse_document(text: str, begins: Collection[str] = "<{[") -> None:
    """Raise Terminal if `text` begins as a page or a document does."""
    first = text.lstrip()[:1]
    if first in _DOCUMENTS and first in begins:
        shown = excerpt(text.encode())
        raise bad_response(f"expected CSV, got {_DOCUMENTS[first]} (`{shown}`)")


def names_of(
    row: list[str],
    delimiter: str,
    needed: Collection[str],
    before: Collection[str] = (),
) -> list[str]:
    """The names in the first row. `needed` are those that the dataset speaks of, which
    prove it; `before` are those of the page before, if there was one.

    Raises Terminal(kind=response) if they are none, or lack one of `needed`.
    """
    refuse_document(delimiter.join(row))
    if len(set(row)) != len(row):
        raise bad_response(f"the CSV's first row names a field twice: {_shown(row)}")
    if max(map(len, row)) > MAX_FIELD_NAME:
        raise bad_response(
            f"the CSV's first row names a field of more than {MAX_FIELD_NAME} "
            f"characters: {_shown(row)}"
        )
    missing = [name for name in needed if name not in row]
    if missing:
        raise bad_response(
            f"the CSV's first row has no {_shown(missing)}; it names {_shown(row)}"
            + _advice(row, missing, delimiter)
        )
    if not needed:
        _refuse_no_names(row, delimiter)
    if before and set(before).isdisjoint(row):
        raise bad_response(
            f"the CSV's first row should name the fields on each page, and is "
            f"{_shown(row)}, where the page before had {_shown(list(before))}; have "
            "the API send the names on each page, or ask for one page"
        )
    return row


def _refuse_no_names(row: list[str], delimiter: str) -> None:
    """What shows although rows follow."""
    other = _other_delimiter(row, delimiter)
    if other:
        raise bad_response(
            f"the CSV's first row is one name, {_shown(row)}{other}, or that "
            "name under `columns` if it is one"
        )
    if _VALUE.fullmatch(row[0].strip()):
        raise bad_response(
            f"the CSV's first row should name the fields, and is {_shown(row)}, which "
            "looks like a row; have the API send the names, or declare them under "
            "`columns` if these are the names"
        )
    is_sentence = len(row[0].split()) >= _SENTENCE or row[0].rstrip()[-1:] in {*".!?"}
    if len(row) == 1 and is_sentence and speaks_of_failure(row[0]):
        raise _apology(row)


def refuse_apology(row: Sequence[str]) -> None:
    """Raise Terminal if a first row behind which nothing came is no list of names:
    several of them, or a single word, are one.
    """
    text = ", ".join(row)
    if not any(row):
        return  # as R writes a table without columns
    if len(row) == 1:
        words = row[0].split()
        is_name = len(words) == 1 and row[0].strip().lower() not in _NO_NAME
        if not is_name or speaks_of_failure(text):
            raise _apology(row)
    elif all(name.startswith(" ") for name in row[1:]):
        # a comma within a sentence, or names with a space before each
        has_end = row[-1].rstrip()[-1:] in {*".!?"}
        if has_end or (speaks_of_failure(text) and max(map(_length, row)) > 1):
            raise _apology(row)


def _length(name: str) -> int:
    return len(name.split())


def _apology(row: Sequence[str]) -> Terminal:
    return bad_response(
        f"expected CSV, got `{excerpt(','.join(row).encode())}`, which reads like a "
        "message; if it names the fields of an answer without rows, declare them under "
        "`columns`, or ignore such an answer with response_actions"
    )


def _advice(row: list[str], missing: list[str], delimiter: str) -> str:
    if len(row) == 1:
        return _other_delimiter(row, delimiter) or (
            "; is it an error, or a line to skip (`skip_lines` of format)?"
        )
    near = similar(missing[0], row)
    return f"; is `{near}` meant?" if near is not None else ""


def delimiter_in(name: str) -> str | None:
    """What may stand between two names that are read as this one."""
    return next((one for one in _DELIMITERS if one in name), None)


def _other_delimiter(row: Sequence[str], delimiter: str) -> str:
    """What to declare where the only name holds what may stand between two."""
    other = delimiter_in(row[0].replace(delimiter, "")) if len(row) == 1 else None
    if other is None:
        return ""
    shown = "\\t" if other == "\t" else other
    return f'; declare `format: {{type: csv, delimiter: "{shown}"}}`'


def _shown(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown
