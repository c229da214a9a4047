"""What stakeholders of models may be told in their own channels, and what they have to
be: apart from how it is decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lambdas.core.dataset import SqlModel
from lambdas.core.incidents.incident import Incident, NoticeKind, Recipient
from lambdas.core.incidents.notice import Notice

MODELS = (
    ("board", ("flights", "rates"), "#board"),
    ("prices", ("clicks", "fares", "rates"), "#prices"),
    ("margins", ("fares",), "#prices"),
    ("seas", ("tides",), None),
)
"""Models of other owners than their inputs': inputs, and stakeholders' channel."""
_FOR_WHO_HAS_HEARD = (NoticeKind.PROMISED, NoticeKind.RESOLVED)


def sql_models() -> dict[str, SqlModel]:
    """For a catalogue."""
    return {
        name: SqlModel(
            name=name,
            sql="select 1 from "
            + ", ".join(f"{{{{ ref('{one}') }}}}" for one in inputs),
            owner={"team": "analysts", "stakeholders": channel},  # type: ignore[arg-type]  # as YAML has it
        )
        for name, inputs, channel in MODELS
    }


def _readers(dataset: str) -> set[str]:
    """The channels that are concerned when a dataset is late."""
    return {channel for _, inputs, channel in MODELS if channel and dataset in inputs}


@dataclass(kw_only=True)
class CopyRules:
    """What each channel has heard of each open incident."""

    heard: dict[str, set[str]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def see(self, now: datetime, after: Incident, made: Sequence[Notice]) -> None:
        """A change of an incident."""
        own = [
            one.kind
            for one in made
            if one.channel == "slack"
            and one.audience is Recipient.STAKEHOLDERS
            and one.copy_of is None
        ]
        copies = [one for one in made if one.copy_of is not None]
        heard = self.heard.setdefault(after.incident_id, set())
        told: set[str] = set()
        for one in copies:
            if (why := self._why_not(one, after, own, heard, told)) is not None:
                self.violations.append(
                    f"{now:%m-%d %H:%M} {after.incident_id} {one.kind.value} to "
                    f"{one.address}: {why}"
                )
            told.add(str(one.address))
            self.counts[f"copies: {one.kind.value}"] += 1
        if after.resolved_at is None:
            heard |= told
            return
        if NoticeKind.RESOLVED in own and heard - told:
            self.violations.append(
                f"{now:%m-%d %H:%M} {after.incident_id}: {heard - told} hear no end"
            )
        heard.clear()

    @staticmethod
    def _why_not(
        one: Notice,
        after: Incident,
        own: Sequence[NoticeKind],
        heard: set[str],
        told: set[str],
    ) -> str | None:
        """What speaks against it."""
        address = str(one.address)
        is_first = one.kind is NoticeKind.OPENED
        if one.audience is not Recipient.STAKEHOLDERS or one.page or one.actions:
            return "not what stakeholders are sent"
        if address in told:
            return "second message of a check"
        if len(own) != 1 or (one.kind not in own and not is_first):
            return f"the owner's stakeholders were told {own}"
        if one.kind in _FOR_WHO_HAS_HEARD:
            return None if address in heard else "had not heard of it"
        if address not in _readers(after.dataset):
            return "nothing of theirs is made from it"
        return "wrong beginning" if is_first is (address in heard) else None

    def nobody_waits(
        self, now: datetime, told_late: Mapping[str, str], deployed: Collection[str]
    ) -> None:
        """`told_late` are datasets whose stakeholders know that they are late, with
        their incidents: so do those of what is made from them.
        """
        for name, inputs, channel in MODELS:
            late = [told_late[one] for one in inputs if one in told_late]
            knows = any(channel in self.heard.get(one, ()) for one in late)
            if channel and late and not knows and {*inputs} <= {*deployed}:
                self.violations.append(
                    f"{now:%m-%d %H:%M} {channel} does not know that {name} is late "
                    f"({late})"
                )
