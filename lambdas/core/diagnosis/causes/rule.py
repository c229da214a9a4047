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
    """On error always, on a warning where the policy asks for it."""
    ON_ERROR = "on error"
    NO = "no"
    IN_ANY_STATE = "in any state"
    """The alerting itself."""

    def on(self, state: State, page_on: str) -> bool:
        """Whether it does in this state, if the policy pages on `page_on`."""
        if page_on == "never":
            return False
        match self:
            case Pages.IN_ANY_STATE:
                return True
            case Pages.YES if state is State.WARN:
                return page_on == "warn"
            case Pages.YES | Pages.ON_ERROR:
                return state is State.ERROR
            case Pages.NO:
                return False


class Group(StrEnum):
    """The table's parts, each with a condition of its own."""

    ALWAYS = "A"
    """Bites as soon as there is data: the cause in any case."""
    STUCK = "B1"
    """Known to be stuck on our way; only if not caught up."""
    PASSING = "B2"
    """Passes by itself; only if not caught up, and nothing of A and B1 holds."""
    UNCONFIRMED = "C"
    """The source is unknown, our side is at fault; only if nothing of B is said."""
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
                return seen.no_files_wait


class Broken(StrEnum):
    """Whether a fault of ours is named even where it does not explain the lateness."""

    UNNAMED = "unnamed"
    WHEN_CAUGHT_UP = "when caught up"
    WHEN_IDLE_TOO = "when caught up, or when no files wait"


HEADLINE = 33
"""Characters of a rule's headline: with a dataset's name of 30 characters and how late
it is, the cause ends within the first 90."""

Fault: TypeAlias = Callable[[Assessment], bool]
Sentence: TypeAlias = Callable[[Assessment], str]
Evidence: TypeAlias = Callable[[Assessment], str | None]
"""A sentence with the values in it, or None where nothing is known to say."""

BOTH = frozenset(Audience)
ENGINEERS = frozenset({Audience.ENGINEERS})
STAKEHOLDERS = frozenset({Audience.STAKEHOLDERS})


def _never_known(_: Assessment) -> None:
    return None


def at_once(_: Assessment) -> bool:
    """A condition that needs nothing more."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """One cause.

    `fault` is the condition without `given`. `headline` is a clause after "late: ", of
    at most `HEADLINE` characters; `plain` says the same in one line to people who only
    use the data. `eta` is None unless a signal carries it.
    """

    code: str
    stage: Stage | None
    group: Group
    holds_when: str
    fault: Fault
    headline: Sentence
    evidence: tuple[Evidence, ...]
    next_step: Sentence
    plain: str
    pages: Pages = Pages.YES
    tell: frozenset[Audience] = BOTH
    given: Given = Given.NOTHING
    pages_once: Fault = at_once
    """What has to hold besides, before it pages."""
    broken: Broken = Broken.UNNAMED
    risk: Fault | None = None
    """When it puts a dataset that is on time at risk; None is never."""
    eta: Callable[[Assessment], datetime | None] = _never_known
    asks_again: bool = False
    """Whether the next pull is when we know more."""

    def holds(self, seen: Assessment) -> bool:
        """Whether the signals show it."""
        return self.given.holds(seen) and self.fault(seen)

    def is_risk(self, seen: Assessment) -> bool:
        """Whether it is known to make the dataset late, which it is not yet."""
        return self.risk is not None and self.holds(seen) and self.risk(seen)

    def wakes(self, seen: Assessment) -> bool:
        """Whether it pages, where it holds."""
        page_on = seen.signals.policy.page_on
        return self.pages.on(seen.state, page_on) and self.pages_once(seen)

    def with_source_unknown(
        self, *, fault: Fault | None = None, holds_when: str = ""
    ) -> Rule:
        """The same cause while nobody knows what upstream has; without an eta."""
        return replace(
            self,
            group=Group.UNCONFIRMED,
            given=Given.SOURCE_UNKNOWN,
            fault=fault or self.fault,
            holds_when=holds_when or self.holds_when,
            eta=_never_known,
            risk=None,
        )

    @property
    def condition(self) -> str:
        """When it holds, as a phrase."""
        return f"{self.given} {self.holds_when}".strip()
