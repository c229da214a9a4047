"""What in an answer says that there is another page, or that there is none.

By words, wherever they stand (`lambdas.core.records.envelope`) and in the headers:

=========  ==================================  =====================================
sign       says that there is more             says that this is the end
=========  ==================================  =====================================
a flag     `has_more: true`, `isLast: false`   `has_more: false`, `isLast: true`,
                                               `done`, `end_of_stream`, `last_page`
a link     a URL under a `next`, in the body,  a `next` that is null
           a Link header or one like Kinto's
           `Next-Page`
a number   a total above the rows read, fewer
           pages read than there are, 206
a token    `cursor`, `after`, `marker`, …,     a flag that says the end, a `next`
           that may be sent back               beside it that is null or absent
=========  ==================================  =====================================

What points back (`previous`, `before`, `first`, `self`), what is sent back to us
(an `offset: 0`, the cursor that we sent) and a token of another kind (`token_type`,
`nextSyncToken`) are none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from urllib.parse import parse_qsl, urlsplit

from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.link_header import links
from lambdas.core.paging.vocabulary import (
    AT_LEAST,
    BACK,
    END,
    ENDS,
    LAST,
    LEADING,
    LIMITS,
    LINK_WORDS,
    MORE,
    NO_TOKENS,
    NOTHING,
    OF_TOTALS,
    OFFSETS,
    PAGE_NUMBERS,
    PAGE_TOTALS,
    PAGE_WORDS,
    TOKENS,
    TOTAL,
    URL_STARTS,
)
from lambdas.core.records.documents import excerpt
from lambdas.core.records.envelope import Envelope, Node, Scalar, Way, words_of
from lambdas.core.records.json_path import path_of
from lambdas.core.text.number import whole_number

_RANGE = re.compile(r"\s*(?:[a-zA-Z]+[\s=])?\s*(\d+)\s*-\s*(\d+)\s*/\s*(\d+|\*)\s*")
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+")
_PARTIAL = 206
_SHORT = 40
_OF_ROWS = frozenset({
    "item", "items", "result", "results", "record", "records", "row", "rows", "count",
    "pages", "entries", "objects",
})  # fmt: skip
_OF_ALL = frozenset({"total", "totals", "found", "matched"})
_NEAR = 2
_DYNAMODB_MORE = ("last", "evaluated", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesBefore:
    """What was read before a page, in the same pull. `rows` is None if that is not
    known: the pull went on from a stored position.

    `told` and `led` are the paths that told of more on the page just before: flags and
    totals, which an API always sends, and links and tokens, which it may leave out at
    the end; `others` are the paths of all else.
    """

    pages: int = 0
    rows: int | None = 0
    told: frozenset[Way] = frozenset()
    led: frozenset[Way] = frozenset()
    others: frozenset[Way] = frozenset()
    totals: Mapping[str, int] = field(default_factory=dict)
    """The least that each total said: what is added meanwhile comes with the next pull,
    and what is deleted is not to be had any more."""


NOTHING_BEFORE = PagesBefore()


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of more: `where` is a path in the body, or the name of a header."""

    where: str
    value: Scalar
    is_header: bool = False
    node: Node | None = None

    @property
    def words(self) -> frozenset[str]:
        """The words of where it stands."""
        return self.node.all_words if self.node else frozenset(words_of(self.where))

    @property
    def sentence(self) -> str:
        """What it is and what it says."""
        if self.is_header and self.where == "link":
            return 'the Link header has a rel="next"'
        place = f"the header `{self.where}`" if self.is_header else f"`{self.where}`"
        shown = self.value
        if isinstance(shown, str):
            if is_url(shown, self.words):
                return f"{place} holds a link"
            shown = f"`{excerpt(shown.encode())}`"
        elif isinstance(shown, bool):
            shown = str(shown).lower()
        return f"{place} is {shown}"


@dataclass(frozen=True, slots=True)
class Counted:
    """The numbers of one object of the envelope, or of the headers, by their part."""

    total: Sign | None = None
    is_at_least: bool = False
    pages: Sign | None = None
    page: Sign | None = None
    offset: Sign | None = None
    limit: Sign | None = None
    count: Sign | None = None


class Signs:
    """What one answer says, each part read when it is first asked for."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        headers: Mapping[str, str],
        status: int,
        rows: int,
        before: PagesBefore,
        request: HttpRequest,
        noun: str = "",
        is_one_record: bool = False,
    ) -> None:
        """`noun` is what the records are called."""
        self._envelope = envelope
        self._headers = headers
        self._status = status
        self._rows = rows
        self._before = before
        self._request = request
        self._noun = words_of(noun)
        self._is_one_record = is_one_record

    # -- flags -----------------------------------------------------------------------
    @cached_property
    def _flags(self) -> tuple[Sign | None, Sign | None]:
        more: Sign | None = None
        end: Sign | None = None
        for node in self._nodes:
            says = _flag(node)
            if says is None or (self._is_one_record and not _is_of_pages(node)):
                continue
            sign = Sign(node.path, node.value, node=node)
            more, end = (more or sign, end) if says else (more, end or sign)
        for name, value in self._headers.items():
            says = _flag_of_words(words_of(name))
            if says is not None and value.lower() in {"true", "false"}:
                sign = Sign(name, value.lower(), is_header=True)
                is_more = (value.lower() == "true") is says
                more, end = (more or sign, end) if is_more else (more, end or sign)
        return more, end

    @property
    def more(self) -> Sign | None:
        """A flag that says that there is more."""
        return self._flags[0]

    @property
    def end(self) -> Sign | None:
        """A flag that says that this is the end, and none that says otherwise."""
        return None if self._flags[0] else self._flags[1]

    # -- links -----------------------------------------------------------------------
    @cached_property
    def header_link(self) -> Sign | None:
        """The `next` of a Link header, or a header like it that holds a URL."""
        target = links(self._headers.get("link", "")).get("next")
        if target:
            return Sign("link", target, is_header=True)
        for name, value in self._headers.items():
            words = words_of(name)
            if "next" in words and value.strip().startswith(URL_STARTS):
                return Sign(name, value.strip(), is_header=True)
        return None

    @cached_property
    def header_token(self) -> Sign | None:
        """A header like GitLab's `X-Next-Page: 2` that holds no URL."""
        for name, value in self._headers.items():
            words, text = set(words_of(name)), value.strip()
            is_next = "next" in words and not words & NO_TOKENS
            is_text = text not in {"0", "-1"} and not text.startswith(URL_STARTS)
            is_text = is_text and text.lower() not in NOTHING
            is_bare = words & {"continuation", "cursor"} and not words & BACK
            if (is_next or is_bare) and is_text:
                return Sign(name, text, is_header=True)
        return None

    @cached_property
    def link(self) -> Sign | None:
        """A URL under a `next` in the body; a whole one before others."""
        found = [node for node in self._nodes if _is_next_link(node)]
        if self._is_one_record:
            found = [node for node in found if len(node.way) <= _NEAR]
        found.sort(key=lambda node: not str(node.value).startswith("http"))
        return Sign(found[0].path, found[0].value, node=found[0]) if found else None

    # -- tokens ----------------------------------------------------------------------
    @cached_property
    def tokens(self) -> tuple[Sign, ...]:
        """What could be sent back to go on, those under a `next` first."""
        if self.end is not None:
            return ()
        found = [node for node in self._nodes if _is_token(node) and self._is_new(node)]
        if self._is_one_record:
            found = [
                node
                for node in found
                if "next" in node.all_words and set(node.words) & TOKENS
            ]
        if self.more is None:
            if self._leads_nowhere:
                found = [node for node in found if "next" in node.words]
            found = [node for node in found if not self._has_ended(node)]
        found.sort(
            key=lambda node: (
                "next" not in node.all_words,
                not isinstance(node.value, str),
            )
        )
        return tuple(Sign(node.path, node.value, node=node) for node in found)

    @property
    def next_token(self) -> Sign | None:
        """A token under a `next`, which no API sends at the end."""
        return next((one for one in self.tokens if "next" in one.words), None)

    def _is_new(self, node: Node) -> bool:
        """Not what we sent ourselves."""
        return str(node.value) not in self._sent

    @cached_property
    def _sent(self) -> frozenset[str]:
        url = parse_qsl(urlsplit(self._request.url).query)
        texts = {value for _, value in url} | set(self._request.params.values())
        for value in (self._request.json or {}).values():
            texts.add(str(value))
        return frozenset(texts)

    @cached_property
    def _leads_nowhere(self) -> bool:
        """Whether a `next` of the answer is null or empty."""
        return any(
            "next" in node.words and not set(node.words) & BACK and _is_nothing(node)
            for node in self._nodes
        )

    def _has_ended(self, node: Node) -> bool:
        """Whether what stands around a bare token leads back and not on: `cursors` with
        an `after` and a `before`, or a link to the page before, without a `next`.
        """
        if "next" in node.all_words or words_of(_name_above(node)) == ("cursor",):
            return False
        around = [
            one
            for one in self._nodes
            if one.way[:-1] in (node.way[:-1], node.way[:-2]) and one is not node
        ]
        leads_on = any("next" in one.words and not one.is_empty for one in around)
        leads_back = any(
            set(one.words) & BACK - {"current"} and not one.is_empty for one in around
        )
        return leads_back and not leads_on

    # -- numbers ---------------------------------------------------------------------
    @cached_property
    def counted(self) -> tuple[Counted, ...]:
        """The numbers that belong together, those of the headers last."""
        groups: dict[object, list[Node]] = {}
        for node in self._nodes:
            above = node.way[:-1]
            if _is_total_object(node):
                above = node.way[:-2]
            groups.setdefault(above, []).append(node)
        found = [self._counted(group) for group in groups.values()]
        found.append(self._counted_in_headers())
        return tuple(one for one in found if one != Counted())

    def _counted(self, nodes: list[Node]) -> Counted:
        parts: dict[str, Sign] = {}
        at_least = False
        for node in nodes:
            if str(node.value) in AT_LEAST and node.name == "relation":
                at_least = True
            number = _whole(node.value)
            part = None if number is None else self._part(node)
            if part is None:
                continue
            sign = Sign(node.path, number, node=node)
            if part == "total" and "filtered" in node.words:
                parts["filtered"] = sign
            known = _number_of(parts.get(part))
            # of several the greatest counts: `num_results` may count this page
            if known is None or (part == "total" and known < (number or 0)):
                parts[part] = sign
        total = parts.get("filtered") or parts.get("total")
        count = parts.get("count")
        if total is None and count is not None and not self._is_limit(count, parts):
            total = count
        return Counted(
            total=total, is_at_least=at_least, pages=parts.get("pages"),
            page=parts.get("page"), offset=parts.get("offset"),
            limit=parts.get("limit"), count=count,
        )  # fmt: skip

    def _is_limit(self, count: Sign, parts: Mapping[str, Sign]) -> bool:
        """Whether `count` is how many were asked for, by what was sent or its place."""
        if "hits" in count.words:
            return False
        if "offset" in parts and "limit" not in parts:
            return True
        return any(
            value == str(count.value) and words_of(name) in {*LIMITS, ("count",)}
            for name, value in self._request.params.items()
        )

    def _counted_in_headers(self) -> Counted:
        parts: dict[str, Sign] = {}
        for name, value in self._headers.items():
            words = words_of(name)
            if value.lstrip().startswith("{") and {"pagination", "paging"} & set(words):
                parts |= _of_json_header(name, value)
                continue
            number = _whole(value)
            plain = tuple(word for word in words if word not in {"x", "wp"})
            part = _part_of_words(plain) or (
                "total" if "total" in words and "pages" not in words else None
            )
            if number is not None and part is not None:
                parts.setdefault(part, Sign(name, number, is_header=True))
        return Counted(
            total=parts.get("total") or parts.get("count"),
            pages=parts.get("pages"),
            page=parts.get("page"),
        )

    @cached_property
    def remaining(self) -> Sign | None:
        """A count of what is left, as Kubernetes' `remainingItemCount`."""
        for node in self._nodes:
            words = set(node.words)
            if "remaining" in words and words & _OF_ROWS and (_whole(node.value) or 0):
                return Sign(node.path, node.value, node=node)
        return None

    def above(self, rows_read: int | None, *, but: str | None = None) -> Sign | None:
        """A number that says that there is more than the `rows_read`; None too where
        it is not known how many came before. The number at `but` is declared to count
        something else.
        """
        if rows_read is None or self._is_one_record or self.end is not None:
            return None
        partial = self._partial(rows_read)
        if partial is not None:
            return partial
        if self._is_later_page:
            return None
        return next(
            (
                sign
                for one in self.counted
                if (sign := self._above(one, rows_read)) and sign.where != but
            ),
            None,
        )

    def _above(self, one: Counted, rows_read: int) -> Sign | None:
        if self._is_last_by_number(one):
            return None
        total = self._least(one.total)
        if one.total is not None and total is not None:
            if total > rows_read + self._skipped(one):
                return one.total
            # a lower bound is told where there are more than that
            return one.total if one.is_at_least and total == rows_read else None
        pages = self._least(one.pages)
        page = _number_of(one.page)
        read = self._before.pages + 1
        if pages is not None and max(read, page or 0) < pages:
            is_last_word = one.pages is not None and one.pages.node is not None and (
                one.pages.node.words == ("last",)
            )  # fmt: skip
            return None if is_last_word and page is None else one.pages
        return None

    def _least(self, sign: Sign | None) -> int | None:
        """The least that it said in this pull so far."""
        number = _number_of(sign)
        if sign is None or number is None:
            return None
        return min(number, self._before.totals.get(sign.where, number))

    def is_lower_bound(self, sign: Sign) -> bool:
        """Whether a total says only `at least so many`, and those were read."""
        return any(one.is_at_least and one.total == sign for one in self.counted) and (
            self._before.rows is None or sign.value == self._before.rows + self._rows
        )

    def _is_last_by_number(self, one: Counted) -> bool:
        """Whether it is the last page by its number, from 1 or, seen so, from 0."""
        page, pages = _number_of(one.page), _number_of(one.pages)
        if page is None or pages is None:
            return False
        if page >= pages:
            return True
        size, total = _number_of(one.limit), _number_of(one.total)
        if size is None or total is None or page + 1 != pages:
            return False
        return page * size + self._rows == total

    def _skipped(self, one: Counted) -> int:
        """Rows before this answer that were not read: it began later, or says so."""
        if self._before.pages:
            return 0
        sent = [
            whole_number(value) or 0
            for name, value in self._request.params.items()
            if words_of(name) in OFFSETS
        ]
        offset = max([_number_of(one.offset) or 0, *sent])
        return offset if offset > 1 else 0

    @property
    def _is_later_page(self) -> bool:
        """Whether the first answer of a pull is not the API's first page: it leads to
        one before it. How many rows stand there is not known.
        """
        if self._before.pages:
            return False
        if "prev" in links(self._headers.get("link", "")):
            return True
        return any(
            set(node.words) & {"prev", "previous"}
            and isinstance(node.value, str)
            and node.value != ""
            for node in self._nodes
        )

    def _partial(self, rows_read: int) -> Sign | None:
        text = self._headers.get("content-range", "")
        match = _RANGE.fullmatch(text)
        if match is not None and match[3] != "*":
            is_all = int(match[2]) + 1 >= int(match[3]) or int(match[3]) <= rows_read
            return None if is_all else Sign("content-range", text, is_header=True)
        if self._status == _PARTIAL and self._rows:
            return Sign("content-range", text or "206", is_header=True)
        return None

    @property
    def says_all(self) -> bool:
        """Whether the answer says in any way that nothing comes after it."""
        return (
            self.end is not None
            or self._leads_nowhere
            or "link" in self._headers
            or any(
                # a total that is the limit may count the page
                _number_of(one.total) == self._rows != _number_of(one.limit)
                or _number_of(one.pages) == 1
                for one in self.counted
            )
        )

    def has_total(self, number: int) -> bool:
        """Whether the answer tells this total."""
        return any(_number_of(one.total) == number for one in self.counted)

    def counts_pages(self, where: str) -> bool:
        """Whether the number at this path says by its name that it counts pages."""
        return any(
            node.path == where and self._part(node) == "pages" for node in self._nodes
        )

    @property
    def has_read_total(self) -> bool:
        """Whether a page without rows follows as many as a total tells of. One that
        counts only its page says 0 here.
        """
        read = self._before.rows
        if self._rows or read is None or not self._before.pages:
            return False
        totals = [
            (_number_of(one.total), self._least(one.total))
            for one in self.counted
            if one.total is not None
            and one.total.words & _OF_ALL
            and not one.is_at_least
        ]
        return any(
            number is not None
            and least is not None
            and ((number > 0 and least <= read) or number == read == 0)
            for number, least in totals
        )

    @property
    def has_moved(self) -> bool:
        """Whether the answer says by an offset that it is not the first page."""
        return any((_number_of(one.offset) or 0) > 0 for one in self.counted)

    # -- all of them -----------------------------------------------------------------
    def of_more(
        self, rows_read: int | None, *, bare: bool, but: str | None = None
    ) -> Sign | None:
        """The clearest sign that there is another page; `bare` tokens count too."""
        if self.end is not None:
            return None
        return (
            self.more
            or self.remaining
            or self.header_link
            or self.link
            or self.next_token
            or self.header_token
            or self.above(rows_read, but=but)
            or (next(iter(self.tokens), None) if bare else None)
        )

    def paths(self) -> PagesBefore:
        """What this answer told, for the next one to be held to."""
        told: set[Way] = set()
        led: set[Way] = set()
        others: set[Way] = set()
        for node in self._nodes:
            is_number = _whole(node.value) is not None
            if _flag(node) is not None or (
                is_number and self._part(node) in {"total", "pages"}
            ):
                told.add(node.way)
            elif _is_next_link(node) or _is_token(node):
                led.add(node.way)
            elif node.kind not in {"object", "array"}:
                others.add(node.way)
        totals = {
            sign.where: number
            for one in self.counted
            for sign in (one.total, one.pages)
            if sign is not None and (number := self._least(sign)) is not None
        }
        return PagesBefore(
            told=frozenset(told),
            led=frozenset(led),
            others=frozenset(others),
            totals={**self._before.totals, **totals},
        )

    def _part(self, node: Node) -> str | None:
        """What a number says; a total may bear what it counts: `totalFlights`."""
        words = node.words
        if node.name == "value" and len(node.way) > 1:
            above = node.way[-2]
            words = words_of(above) if isinstance(above, str) else ()
        part = _part_of_words(words)
        if part is None and TOTAL & set(words):
            part = _part_of_words(tuple(one for one in words if one not in self._nouns))
        return part

    @cached_property
    def _nouns(self) -> frozenset[str]:
        last = urlsplit(self._request.url).path.rstrip("/").rpartition("/")[2]
        found = set(words_of(last.partition(".")[0])) | set(self._noun)
        return frozenset(found | {f"{one}s" for one in found} | {
            one.removesuffix("s") for one in found
        })  # fmt: skip

    @property
    def _nodes(self) -> tuple[Node, ...]:
        return self._envelope.nodes


def vanished(before: PagesBefore, now: Signs) -> str | None:
    """What told of more on the page before and is not there any more; None if an API
    may leave it out: a link or token whose neighbours are still there.
    """
    there = {node.way for node in now._nodes}  # noqa: SLF001 - the same module
    lost = before.told - there
    if not lost and not before.others & there:
        lost = before.led - there
    return min(map(path_of, lost)) if lost else None


def is_url(text: str, words: frozenset[str]) -> bool:
    """Whether a text is a URL, or, where its name promises one, a relative one."""
    if text.startswith(("http://", "https://")):
        return True
    if words & {"cursor", "token", "marker", "bookmark"}:
        return False
    is_promised = bool(words & LINK_WORDS) and re.search(r"[/?]", text) is not None
    return is_promised or text.startswith(URL_STARTS)


def _is_next_link(node: Node) -> bool:
    words = node.all_words
    if not isinstance(node.value, str) or node.is_empty or words & BACK:
        return False
    if "next" not in words and not ("more" in node.words and words & LINK_WORDS):
        return False
    return is_url(node.value.strip(), words | _implied(node))


def _implied(node: Node) -> frozenset[str]:
    """`__next` is OData's link, which may be relative (RFC 3986, 4.2)."""
    return frozenset({"link"}) if node.name == "__next" else frozenset()


def _is_token(node: Node) -> bool:
    words, all_words = set(node.words), node.all_words
    value = node.value
    if isinstance(value, bool) or value is None or all_words & BACK:
        return False
    if words & NO_TOKENS:
        return False
    is_next = "next" in all_words and words <= LEADING
    if isinstance(value, int | float):
        is_cursor = bool(words & {"after", "cursor"} and "cursor" in all_words)
        return (is_next or is_cursor) and value > 0
    if node.is_empty or value in {"0", "-1"} or _is_next_link(node):
        return False
    if value.strip().lower() in NOTHING or (words == {"offset"} and value.isdecimal()):
        return False
    return is_next or bool(words & TOKENS and words <= LEADING)


def _name_above(node: Node) -> str:
    above = node.way[-2] if len(node.way) > 1 else ""
    return above if isinstance(above, str) else ""


@lru_cache(maxsize=1024)
def _flag_of_words(words: tuple[str, ...]) -> bool | None:
    """Whether a true flag of this name says that there is more; None if it is none."""
    found = frozenset(words)
    if not found or found & BACK - {"current"}:
        return None
    says: bool | None = None
    if found & {"more", "next"} and found <= MORE:
        says = True
    elif ("last" in found and found <= LAST) or (found & ENDS and found <= END):
        says = False
    if says is not None and found & {"no", "not"}:
        says = not says
    return says


def _flag(node: Node) -> bool | None:
    value = node.value
    if value is None or isinstance(value, float) or node.words == _DYNAMODB_MORE:
        is_key = node.words == _DYNAMODB_MORE and not node.is_empty
        return True if is_key else None
    says = _flag_of_words(node.words)
    if says is None:
        # cut off is not all, but what is not cut off may still be a page
        return True if value is True and _is_cut_off(set(node.words)) else None
    if isinstance(value, str):
        if value.lower() not in {"true", "false"}:
            return None
        value = value.lower() == "true"
    elif not isinstance(value, bool):
        if value not in {0, 1} or not set(node.words) & {"has", "is", "more", "end"}:
            return None
        value = value == 1
    if value is not says and any(isinstance(step, int) for step in node.way):
        return None  # one of a list does not end the whole
    return value is says


def _is_cut_off(words: set[str]) -> bool:
    """`truncated`, and ArcGIS's `exceededTransferLimit`."""
    is_limit = "limit" in words and words & {"exceeded", "reached", "hit"}
    return "truncated" in words or bool(is_limit)


def _is_of_pages(node: Node) -> bool:
    """Whether a flag of a record can only speak of pages: a task may be `done`."""
    words = set(node.words)
    return bool(words & PAGE_WORDS or {"has", "more"} <= words)


def _is_nothing(node: Node) -> bool:
    return node.is_empty or node.value in (0, -1, "0", "-1")  # False is 0


def _whole(value: Scalar) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int):
        return value if value >= 0 else None
    if isinstance(value, str) and len(value) < _SHORT:
        text = value.strip()
        text = text.replace(",", "") if _GROUPED.fullmatch(text) else text
        number = whole_number(text)
        return number if number is not None and number >= 0 else None
    return None


def _is_total_object(node: Node) -> bool:
    """`total: {value: 25}`, `page: {total: …}` keep their own object."""
    return node.name in {"value", "relation"} and len(node.way) > 1


@lru_cache(maxsize=1024)
def _part_of_words(words: tuple[str, ...]) -> str | None:
    for part, known in (
        ("pages", PAGE_TOTALS), ("page", PAGE_NUMBERS), ("offset", OFFSETS),
        ("limit", LIMITS),
    ):  # fmt: skip
        if words in known:
            return part
    if words in {("count",), ("odata", "count"), ("x", "count"), ("hits",)}:
        return "count"
    found = set(words)
    if found & TOTAL and found <= OF_TOTALS:
        return "total"
    return None


def _number_of(sign: Sign | None) -> int | None:
    return None if sign is None else _whole(sign.value)


def _of_json_header(name: str, value: str) -> Mapping[str, Sign]:
    """ASP.NET's `X-Pagination: {"TotalCount": 25, …}`."""
    try:
        document = json.loads(value)
    except ValueError:
        return {}
    return {
        part: Sign(name, number, is_header=True)
        for key, one in _items(document)
        if (part := _part_of_words(words_of(key)))
        and (number := _whole(one)) is not None
    }


def _items(document: object) -> Iterator[tuple[str, Scalar]]:
    if isinstance(document, dict):
        for key, value in document.items():
            if isinstance(value, str | int | float):
                yield key, value
