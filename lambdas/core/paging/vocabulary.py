"""The words by which APIs speak of pages."""

from __future__ import annotations

BACK = frozenset({
    "prev", "previous", "before", "first", "self", "back", "older", "up", "current",
    "prior", "earlier",
})  # fmt: skip
PAGE_WORDS = frozenset({"page", "pages", "batch", "chunk", "slice", "window"})
LINK_WORDS = frozenset({"url", "uri", "link", "href"})
NOTHING = frozenset({"", "null", "none", "undefined", "false"})
"""Texts in the place of a link or cursor that say that there is none."""
URL_STARTS = ("http://", "https://", "/", "?", "./")
TOKENS = frozenset({
    "cursor", "cursors", "token", "after", "marker", "bookmark", "mark", "continuation",
    "continue", "offset", "scroll", "skiptoken", "iterator", "anchor",
})  # fmt: skip
NO_TOKENS = frozenset({
    "type", "sync", "delta", "access", "refresh", "csrf", "auth", "session", "retry",
    "expires", "expiry", "upload", "api", "created", "updated", "since", "count",
    "limit", "rate", "resume", "watch", "hash", "date", "time", "rel", "relation",
    "method", "title", "has", "is", "can",
})  # fmt: skip
LEADING = TOKENS | PAGE_WORDS | frozenset({
    "next", "start", "at", "key", "id", "position", "pos", "index", "number", "no",
    "num", "skip", "value", "from", "result", "results", "set", "record", "records",
    "row", "item", "items", "link", "url", "uri", "href", "path", "query", "params",
    "starting", "last", "search", "ref", "seek", "string", "str",
})  # fmt: skip
MORE = PAGE_WORDS | frozenset({
    "has", "have", "is", "are", "there", "more", "next", "result", "results", "record",
    "records", "item", "items", "data", "row", "rows", "entry", "entries", "available",
    "in", "collection", "to", "come", "exist", "exists", "object", "objects",
    "element", "elements", "hits", "no", "not", "any", "the", "of", "list", "flag",
    "response", "link", "cursor", "token", "remaining", "x",
})  # fmt: skip
LAST = frozenset({"is", "last", "final", "the", *PAGE_WORDS})
END = frozenset({
    "is", "at", "end", "of", "the", "in", "reached", "stream", "list", "result",
    "results", "record", "records", "data", "rows", "items", "eof", "eos", "done",
    "all", "finished", "exhausted", "file", "feed", "query", *PAGE_WORDS,
})  # fmt: skip
ENDS = frozenset({"end", "eof", "eos", "done", "finished", "exhausted"})
TOTAL = frozenset(
    {"total", "totals", "count", "found", "nb", "num", "matches", "matched", "filtered"}
)
OF_TOTALS = TOTAL | frozenset({
    "number", "of", "no", "n", "result", "results", "record", "records", "item",
    "items", "element", "elements", "row", "rows", "entry", "entries", "hit", "hits",
    "object", "objects", "document", "documents", "doc", "docs", "match", "matching",
    "available", "all", "overall", "full", "x", "odata", "size", "filtered", "exact",
    "collection", "resources", "list", "query", "search", "data", "estimated", "wp",
    "pagination", "paging", "response", "set", "grand", "the", "in",
})  # fmt: skip
OFFSETS = frozenset({
    ("offset",), ("skip",), ("start",), ("from",), ("start", "at"), ("start", "index"),
    ("start", "position"), ("start", "row"), ("first", "result"), ("start", "record"),
})  # fmt: skip
LIMITS = frozenset({
    ("limit",), ("take",), ("max", "results"), ("size",), ("per", "page"), ("rows",),
    ("page", "size"), ("items", "per", "page"), ("results", "per", "page"), ("top",),
    ("pagelen",), ("max", "items"), ("page", "limit"), ("hits", "per", "page"),
    ("page", "length"), ("max",), ("records", "per", "page"),
})  # fmt: skip
PAGE_NUMBERS = frozenset({
    ("page",), ("current", "page"), ("page", "number"), ("number",), ("page", "no"),
    ("page", "index"), ("current",), ("page", "num"), ("current", "page", "number"),
    ("num", "page"), ("pn",),
})  # fmt: skip
PAGE_TOTALS = frozenset({
    ("total", "pages"), ("page", "count"), ("pages",), ("num", "pages"),
    ("pages", "count"), ("last", "page"), ("total", "page"), ("pages", "total"),
    ("nb", "pages"), ("number", "of", "pages"), ("count", "pages"), ("page", "total"),
    ("max", "page"), ("total", "page", "count"), ("total", "number", "of", "pages"),
    ("last",), ("pages", "available"),
})  # fmt: skip
AT_LEAST = frozenset({"gte", "gt", "at_least", "lower_bound", "atleast"})
