"""YAML text to plain values, each with the line it was written on.

Read from parser events, not with a Loader: PyYAML's loaders follow YAML 1.1, where
`NO` is false and `12:30` a number, keep one of two equal keys in silence, and expand
anchors without limit. Here a plain scalar is what it is in JSON, plus `~` and an empty
value for null (https://yaml.org/spec/1.2.2/#103-core-schema); all else is text.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from project.fault import Location, printable

MAX_BYTES = 512 * 1024
MAX_DEPTH = 24
MAX_ALIASES = 100
MAX_VALUES = 50_000
"""Values a file holds with its aliases expanded."""
MAX_NUMBER = 2**63

Value: TypeAlias = Any
"""None, bool, int, float, str, or lists and dicts (with text keys) of these."""

_CONSTANTS: tuple[tuple[re.Pattern[str], bool | None], ...] = (
    (re.compile(r"|~|null|Null|NULL"), None),
    (re.compile(r"true|True|TRUE"), True),
    (re.compile(r"false|False|FALSE"), False),
)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
# https://yaml.org/spec/1.2.2/#51-character-set
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {None, "!", *(f"{_TAG}{kind}" for kind in ("str", "map", "seq"))}

_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFault:
    """Something wrong with the text itself."""

    line: int
    location: Location
    sentence: str


@dataclass(slots=True, kw_only=True)
class YamlDocument:
    """What a file says. `value` is None if it says nothing or cannot be read.

    `lines` has the line of each key and element that was written, by its location.
    """

    value: Value = None
    lines: dict[Location, int] = field(default_factory=lambda: {(): 1})
    faults: list[YamlFault] = field(default_factory=list)

    def line_of(self, location: Location) -> int:
        """The line of the key, or of the nearest thing above it that was written."""
        for end in range(len(location), 0, -1):
            line = self.lines.get(location[:end])
            if line is not None:
                return line
        return 1


class _Stop(Exception):
    """The rest of the file cannot be read."""


def read_yaml(data: bytes) -> YamlDocument:
    """Read one document; never raises: whatever is wrong is in its `faults`."""
    document = YamlDocument()

    def stop(line: int, sentence: str) -> YamlDocument:
        document.value = None
        document.faults.append(YamlFault(line=line, location=(), sentence=sentence))
        return document

    if len(data) > MAX_BYTES:
        return stop(
            1,
            f"the file has {len(data):,} bytes; accepted: up to {MAX_BYTES:,}",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return stop(
            data.count(b"\n", 0, error.start) + 1,
            f"the byte 0x{data[error.start]:02x} is not UTF-8; "
            "accepted: text saved as UTF-8",
        )
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        return stop(
            text.count("\n", 0, odd.start()) + 1,
            f"the character U+{ord(odd.group()):04X} is not allowed in YAML; "
            'accepted: printable text (write it as "\\x00" within double quotes)',
        )
    builder = _Builder(text, document)
    try:
        builder.build()
    except _Stop:
        document.value = None
    except yaml.MarkedYAMLError as error:
        line, opened = builder.lines_of(error)
        return stop(line, _explain_syntax(error, text, line, opened))
    except (yaml.YAMLError, RecursionError):
        return stop(1, "is not YAML; accepted: a mapping of keys and values")
    return document


def _explain_syntax(
    error: yaml.MarkedYAMLError, text: str, line: int, opened: int | None
) -> str:
    """What the parser says, in words that help; never a piece of the file's values."""
    lines = text.split("\n")
    written = lines[line - 1] if line <= len(lines) else ""
    leading = written[: len(written) - len(written.lstrip())]
    if "\t" in leading:
        return "the indentation has a tab; accepted: spaces"
    problem = error.problem or "cannot be read"
    if "mapping values are not allowed" in problem:
        return (
            "a second `: ` on one line, or a key that is indented too far; accepted: "
            "one `key: value` a line, and quotes around text that has `: ` in it"
        )
    if "alias" in problem:
        problem = "an alias (*) names an anchor (&) that was not written before it"
    context = f" {error.context}" if error.context else ""
    if context and opened is not None and opened != line:
        context += f" from line {opened}"
    return (
        f"is not YAML: {printable(problem)}{printable(context)}; accepted: YAML 1.2 "
        "(quote text that begins with one of @ ` % & * ! | > [ { or has `: ` in it)"
    )


class _Builder:
    """Builds one document from the parser's events."""

    def __init__(self, text: str, document: YamlDocument) -> None:
        self._text = text
        self._document = document
        self._newlines = [at for at, char in enumerate(text) if char == "\n"]
        self._events = yaml.parse(text, Loader=_Parser)
        self._anchors: dict[str, Value] = {}
        self._open: set[str] = set()
        self._aliases = 0
        self._budget = MAX_VALUES

    def line_at(self, index: int) -> int:
        """The line of a character; only line feeds count, as in an editor."""
        return bisect_right(self._newlines, index - 1) + 1

    def lines_of(self, error: yaml.MarkedYAMLError) -> tuple[int, int | None]:
        """The line of an error, and the line on which began what it stands in.

        What is never closed is noticed at the end of the file: it is told where it
        begins.
        """
        at, opened = error.problem_mark, error.context_mark
        begins = self.line_at(opened.index) if opened is not None else None
        if at is None or (begins and at.index >= len(self._text.rstrip())):
            return begins or 1, begins
        return self.line_at(at.index), begins

    def build(self) -> None:
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(
                        event, (), "a second document begins; accepted: one a file"
                    )
                self._document.value = self._value(self._next(), ())
            elif isinstance(event, DocumentEndEvent):
                continue

    def _next(self) -> Event:
        event: Event = next(self._events)
        return event

    def _line(self, event: Event) -> int:
        mark = event.start_mark
        return 1 if mark is None else self.line_at(mark.index)

    def _fault(self, line: int, location: Location, sentence: str) -> None:
        self._document.faults.append(
            YamlFault(line=line, location=location, sentence=sentence)
        )

    def _stop(self, event: Event, location: Location, sentence: str) -> NoReturn:
        self._fault(self._line(event), location, sentence)
        raise _Stop

    def _value(self, event: Event, location: Location) -> Value:
        self._budget -= 1
        if self._budget < 0:
            self._stop(
                event, (), f"too many values; accepted: up to {MAX_VALUES:,} a file"
            )
        if len(location) > MAX_DEPTH:
            self._stop(
                event,
                location[:3],
                f"is nested too deeply; accepted: up to {MAX_DEPTH} levels",
            )
        if isinstance(event, AliasEvent):
            return self._alias(event, location)
        anchor = event.anchor if isinstance(event, NodeEvent) else None
        if anchor is not None:
            self._open.add(anchor)
        if isinstance(event, MappingStartEvent):
            value: Value = self._mapping(event, location)
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(event, location)
        elif isinstance(event, ScalarEvent):
            value = self._scalar(event, location)
        else:  # the parser lets nothing else stand here
            self._stop(event, location, "is not YAML; accepted: a value")
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = value
        return value

    def _alias(self, event: AliasEvent, location: Location) -> Value:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._stop(
                event,
                location,
                f"too many aliases; accepted: up to {MAX_ALIASES} a file",
            )
        name = event.anchor or ""
        if name in self._open:
            self._stop(
                event,
                location,
                "an alias is inside of what it names; accepted: an alias to "
                "something that ended before it",
            )
        if name not in self._anchors:
            self._stop(
                event,
                location,
                "an alias (*) names an anchor (&) that was not written before it; "
                "accepted: the name of an anchor above",
            )
        value = self._anchors[name]
        self._count(value, len(location), event)
        return value

    def _count(self, value: Value, depth: int, event: Event) -> None:
        """Charge an alias for all it stands for, so that aliases of aliases end."""
        self._budget -= 1
        if self._budget < 0 or depth > MAX_DEPTH:
            self._stop(
                event,
                (),
                f"aliases stand for too much; accepted: up to {MAX_VALUES:,} values "
                f"and {MAX_DEPTH} levels a file",
            )
        if isinstance(value, dict):
            for below in value.values():
                self._count(below, depth + 1, event)
        elif isinstance(value, list):
            for below in value:
                self._count(below, depth + 1, event)

    def _mapping(self, event: MappingStartEvent, location: Location) -> Value:
        self._refuse_tag(event, location)
        found: dict[str, Value] = {}
        first_line: dict[str, int] = {}
        while not isinstance(key_event := self._next(), yaml.MappingEndEvent):
            line = self._line(key_event)
            if not isinstance(key_event, ScalarEvent):
                self._stop(
                    key_event,
                    location,
                    "a key that is no plain text; accepted: text, then a colon",
                )
            if key_event.anchor is not None:
                self._anchors[key_event.anchor] = key_event.value
            key: str = key_event.value
            below: Location = (*location, key)
            if key in found:
                self._fault(
                    line,
                    below,
                    f"is written twice, first on line {first_line[key]}; "
                    "accepted: each key once",
                )
                self._skip(below)
                continue
            first_line[key] = line
            self._document.lines[below] = line
            found[key] = None
            found[key] = self._value(self._next(), below)
        return found

    def _skip(self, location: Location) -> None:
        """Read a value that does not count, without its lines and faults."""
        lines = dict(self._document.lines)
        faults = list(self._document.faults)
        self._value(self._next(), location)
        self._document.lines = lines
        self._document.faults = faults

    def _sequence(self, event: SequenceStartEvent, location: Location) -> Value:
        self._refuse_tag(event, location)
        found: list[Value] = []
        while not isinstance(item := self._next(), yaml.SequenceEndEvent):
            below: Location = (*location, len(found))
            self._document.lines[below] = self._line(item)
            found.append(self._value(item, below))
        return found

    def _refuse_tag(
        self, event: MappingStartEvent | SequenceStartEvent, location: Location
    ) -> None:
        if event.tag not in _PLAIN_TAGS:
            self._odd_tag(event, location)

    def _odd_tag(self, event: Event, location: Location) -> None:
        self._fault(
            self._line(event),
            location,
            "has a tag (!); accepted: plain values without tags",
        )

    def _scalar(self, event: ScalarEvent, location: Location) -> Value:
        text: str = event.value
        if event.tag not in _PLAIN_TAGS:
            self._odd_tag(event, location)
            return text
        if not event.implicit[0] or event.tag is not None:
            return text
        for pattern, constant in _CONSTANTS:
            if pattern.fullmatch(text):
                return constant
        if _FLOAT.fullmatch(text):
            return self._number(text, event, location)
        return text

    def _number(self, text: str, event: Event, location: Location) -> Value:
        number = float(text)
        if not math.isfinite(number) or abs(number) >= MAX_NUMBER:
            self._fault(
                self._line(event),
                location,
                "is a number out of range; accepted: numbers below 2^63, or the "
                "digits as text, in quotes",
            )
            return 0
        return int(text) if _INTEGER.fullmatch(text) else number
