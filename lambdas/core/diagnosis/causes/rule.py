"""What a cause is made of.

Everything about a cause stands in one `Rule`: when it holds, whom it concerns, and
what is said about it. The order of the rules is the order of the table in
`docs/runbooks/README.md`, which is generated from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from lambdas.core.diagnosis.assessment import Assessment, State


class Stage(StrEnum):
    """Where the data stopped."""

    UPSTREAM = "upstream"
    PULL = "pull"
    LANDING = "landing"
    LOAD = "load"
    TABLE = "table"
    MONITOR = "monitor"


class Audience(StrEnum):
    """Who is told."""

    ENGINEERS = "engineers"
    STAKEHOLDERS = "stakeholders"


class Pages(StrEnum):
    """Whether a cause wakes somebody."""

    YES = "yes"
    ON_ERROR = "on error"
    NO = "no"

    def on(self, state: State) -> bool:
        """Whether it does in this state."""
        return self is Pages.YES or (self is Pages.ON_ERROR and state is State.ERROR)


class Group(StrEnum):
    """The table's parts, each with a condition of its own."""

    ALWAYS = "A"
    """Bites as soon as there is data: the cause in any case."""
    OURS = "B"
    """Known to be stuck on our way; only if not caught up."""
    OURS_UNCONFIRMED = "C"
    """The source is unknown, our side is at fault; only if nothing of B holds."""
    SOURCE = "D"
    """The source itself."""
    REST = "E"
    """Only if nothing else holds."""
    MONITOR = "monitor"
    """The alerting itself, beside the dataset."""
    NOTE = "note"
    """Said beside a verdict, never a cause."""


class Given(StrEnum):
    """What a rule takes for granted, apart from the fault itself."""

    NOTHING = ""
    UPSTREAM_HAS_MORE = "upstream has more, and"
    SOURCE_UNKNOWN = "the source is unknown, and"
    FILES_WAIT = "files wait, and"
    NO_FILES_WAIT = "no files wait, and"

    def holds(self, seen: Assessment) -> bool:
        """Whether the signals show it."""
        match self:
            case Given.NOTHING:
                return True
            case Given.UPSTREAM_HAS_MORE:
                return seen.upstream_has_more
            case Given.SOURCE_UNKNOWN:
                return seen.source_unknown
            case Given.FILES_WAIT:
                return seen.files_wait
            case Given.NO_FILES_WAIT:
                return not seen.files_wait


class Broken(StrEnum):
    """Whether a fault of ours is named even where it does not explain the lateness."""

    UNNAMED = "unnamed"
    WHEN_CAUGHT_UP = "when caught up"
    WHEN_IDLE_TOO = "when caught up, or when no files wait"


Sentence: TypeAlias = Callable[[Assessment], str]
Evidence: TypeAlias = Callable[[Assessment], str | None]
"""A sentence with the values in it, or None where nothing is known to say."""

BOTH = frozenset(Audience)
ENGINEERS = frozenset({Audience.ENGINEERS})
STAKEHOLDERS = frozenset({Audience.STAKEHOLDERS})


def _never_known(_: Assessment) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """One cause.

    `fault` is the condition without `given`; `unless` picks the rules of group B that
    must not hold. `headline` is a clause after "late: "; `plain` says the same in one
    line to people who only use the data. `eta` is None unless a signal carries it.
    """

    code: str
    stage: Stage | None
    group: Group
    holds_when: str
    fault: Callable[[Assessment], bool]
    pages: Pages
    tell: frozenset[Audience]
    headline: Sentence
    evidence: tuple[Evidence, ...]
    next_step: Sentence
    plain: str
    given: Given = Given.NOTHING
    unless: Callable[[Rule], bool] | None = None
    broken: Broken = Broken.UNNAMED
    eta: Callable[[Assessment], datetime | None] = _never_known

    def with_source_unknown(self) -> Rule:
        """The same fault as a cause while nobody knows what upstream has."""
        return replace(self, group=Group.OURS_UNCONFIRMED, given=Given.SOURCE_UNKNOWN)

    @property
    def condition(self) -> str:
        """When it holds, as a phrase."""
        return f"{self.given} {self.holds_when}".strip()
