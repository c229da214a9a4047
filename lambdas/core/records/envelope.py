"""What stands in an answer beside its records, by the words of its names.

APIs agree on words and not on places: `next` may be `links.next.href`,
`additional_data.pagination.next_start` or one of a list `[{rel: next, href: …}]`. So
all that surrounds the records is read, once, to a depth of `DEPTH` names. Left out is
what speaks of something else: records beside the records (an object with an id),
facets, rate limits, an echo of the question.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TypeAlias

import msgspec

from lambdas.core.records.documents import Document, elements, members
from lambdas.core.records.json_path import (
    AnswerStep,
    Chosen,
    answer_steps,
    kind_of,
    path_of,
)

DEPTH = 5
MOST_NODES = 500
_MOST_MEMBERS = 100
_EACH_END = 1_000
_NAME = 64
"""Characters of a name that are looked at."""
_MOST_ELEMENTS = 20
_LONGEST_TEXT = 16_384
"""Longer texts are cut here: what they are shows by their beginning."""

Scalar: TypeAlias = str | int | float | bool | None
Way: TypeAlias = tuple[AnswerStep, ...]

_RELATIONS = ("rel", "relation", "name", "type", "key")
_LEADS_TO = frozenset({
    "next", "prev", "previous", "first", "last", "self", "next-page", "next_page",
    "previous-page", "up", "current",
})  # fmt: skip
_IDS = frozenset({"id", "_id", "uuid", "guid", "ID", "Id"})
_OF_ANSWERS = frozenset({
    "meta", "metadata", "page", "pages", "paging", "pagination", "pager", "paginator",
    "paginate", "info", "link", "links", "cursor", "cursors", "response", "result",
    "results", "data", "header", "headers", "summary", "next", "payload", "body",
    "list", "hits",
})  # fmt: skip
_OF_OTHERS = frozenset({
    "facet", "facets", "aggregation", "aggregations", "aggs", "bucket", "buckets",
    "included", "includes", "shards", "quota", "quotas", "usage", "rate", "filters",
    "params", "parameters", "param", "args", "request", "query", "schema", "fields",
    "columns", "config", "settings", "debug", "profile", "timing", "timings",
    "histogram", "suggestions", "suggest", "throttle", "warnings",
})  # fmt: skip
_ANSWERED = frozenset({"response", "result", "results"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PARTS = frozenset({
    "next", "page", "pages", "token", "has", "more", "total", "count", "cursor", "link",
    "url", "uri", "href", "last", "is", "offset", "results", "result", "records",
    "record", "items", "item", "size", "num", "nb", "found", "per", "hits", "key", "id",
    "prev", "previous", "first", "end", "of", "marker", "mark", "after", "before",
    "start", "index", "no", "number", "limit", "current", "stream", "error", "code",
    "message", "continuation",
    "msg", "elements", "rows", "done", "data", "err", "status",
})  # fmt: skip


_SPEAKS = re.compile(
    r"next|more|last|page|paging|pagina|cursor|token|after|marker|offset|skip|start|link"
    r"|total|count|found|hits|limit|continu|scroll|done|end|meta|info|error|fault|fail"
    r"|exception|status|success|^ok$|code|message|msg|truncated|remaining|time",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """`nextPageToken`, `next_page_token` and `nextpagetoken` are the same words."""
    found: list[str] = []
    for one in _WORD.findall(name[:_NAME]):
        word = one.lower()
        found += _parts_of(word) or (word,)
    return tuple(found)


def _parts_of(word: str) -> tuple[str, ...]:
    """A word run together, taken apart if it consists of words of paging alone."""
    if word in _PARTS or not word:
        return (word,) if word else ()
    for end in range(len(word) - 1, 1, -1):
        if word[:end] in _PARTS and (rest := _parts_of(word[end:])):
            return (word[:end], *rest)
    return ()


@dataclass(frozen=True, slots=True)
class Node:
    """One member of the envelope, under its own `name`. `value` is None for null, and
    for an object or a list, of which `is_empty` says whether anything is in it.
    """

    way: Way
    name: str
    kind: str
    value: Scalar
    is_empty: bool

    @property
    def path(self) -> str:
        """The path that finds it in the answer."""
        return path_of(self.way)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its own name."""
        return words_of(self.name)

    @property
    def all_words(self) -> frozenset[str]:
        """The words of its own name and of all names above it."""
        return _words_of_way(self.way)


@lru_cache(maxsize=4096)
def _words_of_way(way: Way) -> frozenset[str]:
    found: set[str] = set()
    for step in way:
        if isinstance(step, str):
            found.update(words_of(step))
        elif isinstance(step, Chosen):
            found.update(words_of(step.value))
    return frozenset(found)


class Envelope:
    """The members of an answer outside its records, outer ones first."""

    def __init__(self, document: Document | None, selector: str | None) -> None:
        """`selector` is where the records stand: a list of them, or one."""
        self.nodes: tuple[Node, ...] = ()
        self.about_others: tuple[Node, ...] = ()
        """What speaks of something else than this page, where it is cut off."""
        if document is None:
            return
        records = answer_steps(selector) if selector else None
        if records == ():
            if document.kind != "object":
                return
            records = None
        self._read(document, records)

    def beside(self, node: Node) -> Iterable[Node]:
        """The members of the same object, itself among them."""
        return (one for one in self.nodes if one.way[:-1] == node.way[:-1])

    def _read(self, document: Document, records: Way | None) -> None:
        nodes: list[Node] = []
        others: list[Node] = []
        waiting: deque[tuple[Way, Mapping[str, msgspec.Raw]]] = deque()
        if document.kind == "object":
            waiting.append(((), document.members))
        elif document.kind == "array":
            waiting.extend(_of_list((), document.elements, records))
        while waiting and len(nodes) < MOST_NODES:
            above, level = waiting.popleft()
            for name, raw in _speaking(level):
                way = (*above, name)
                kind = kind_of(raw)
                if records is not None and _is_records(way, kind, records):
                    continue
                node = _node(way, name, kind, raw)
                if _is_of_others(name) and (records or ())[: len(way)] != way:
                    others.append(node)
                    continue
                nodes.append(node)
                if node.is_empty or _depth(way) >= DEPTH:
                    continue
                if kind == "object":
                    waiting.extend(_of_object(document, way, raw))
                elif kind == "array":
                    waiting.extend(_of_list(way, elements(raw), records))
        self.nodes, self.about_others = tuple(nodes), tuple(others)


def _speaking(level: Mapping[str, msgspec.Raw]) -> Iterable[tuple[str, msgspec.Raw]]:
    """The members; of very many, which is data, those that speak of pages or errors."""
    if len(level) <= _MOST_MEMBERS:
        return level.items()
    names = list(level)
    if len(names) > 2 * _EACH_END:
        names = names[:_EACH_END] + names[-_EACH_END:]
    found = ((one, level[one]) for one in names if _SPEAKS.search(one, 0, _NAME))
    return islice(found, _MOST_MEMBERS)


def _of_object(
    document: Document, way: Way, raw: msgspec.Raw
) -> Iterable[tuple[Way, Mapping[str, msgspec.Raw]]]:
    names = tuple(step for step in way if isinstance(step, str))
    below = document.level(names) if len(names) == len(way) else members(raw)
    if not _IDS.isdisjoint(below) and _OF_ANSWERS.isdisjoint(words_of(names[-1])):
        return
    yield way, below


def _of_list(
    way: Way, listed: Iterable[msgspec.Raw], records: Way | None
) -> Iterable[tuple[Way, Mapping[str, msgspec.Raw]]]:
    for index, raw in enumerate(islice(listed, _MOST_ELEMENTS)):
        if kind_of(raw) != "object":
            return
        below = members(raw)
        if records is not None and records[: len(way) + 1] == (*way, index):
            yield (*way, index), below
        elif (relation := _relation(below)) is not None:
            yield (*way, relation), below
        elif _IDS.isdisjoint(below):
            yield (*way, index), below


def _relation(below: Mapping[str, msgspec.Raw]) -> Chosen | None:
    """What a link in a list says that it leads to."""
    for name in _RELATIONS:
        raw = below.get(name)
        if raw is not None and kind_of(raw) == "string":
            value = str(msgspec.json.decode(raw))
            if value.lower() in _LEADS_TO:
                return Chosen(name, value)
    return None


def _node(way: Way, name: str, kind: str, raw: msgspec.Raw) -> Node:
    size = len(memoryview(raw))
    if kind in {"object", "array"}:
        is_empty = not bytes(memoryview(raw)[1:-1]).strip() if size < 64 else False  # noqa: PLR2004 - an empty one is short
        return Node(way, name, kind, None, is_empty)
    value: Scalar = msgspec.json.decode(raw)
    if isinstance(value, str):
        value = value[:_LONGEST_TEXT]
    is_empty = value is None or (isinstance(value, str) and not value.strip())
    return Node(way, name, kind, value, is_empty)


def _is_records(way: Way, kind: str, records: Way) -> bool:
    """Whether the records stand here: at the path, or at a list it goes through."""
    plain = records[: records.index(None)] if None in records else records
    if not plain:  # each is a member of the answer
        return kind in {"object", "array"}
    while plain and isinstance(plain[-1], int):
        plain = plain[:-1]
    return way == plain


def _is_of_others(name: str) -> bool:
    words = words_of(name)
    return not _OF_OTHERS.isdisjoint(words) and _ANSWERED.isdisjoint(words)


def _depth(way: Way) -> int:
    return sum(isinstance(step, str) for step in way)
