"""Which lateness is told of, and which is only the echo of another's.

In alertmanager's words: what is made from a late dataset is *inhibited* by it. A late
child of a late parent needs no page of its own: it is listed with its parent's
incident, its own incident is kept silently, and when the parent is well and the child
is not, it is told of like any other. Where other people are told of the child than of
the parent, they hear of the child, and are not woken.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lambdas.core.dataset import Catalogue
from lambdas.core.models.graph import inputs_of

Lineage = Mapping[str, frozenset[str]]
"""What each dataset is made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """`by` names what inhibits a dataset, `of` whom it inhibits, in given order;
    `beside` names another owner's late dataset that a late one is made from.
    """

    by: Mapping[str, str]
    of: Mapping[str, tuple[str, ...]]
    beside: Mapping[str, str] = field(default_factory=dict)


def models_at(
    channels: Mapping[str, str],
    made_from: Lineage,
    late: str,
    dependents: Sequence[str],
) -> Mapping[str, tuple[str, ...]]:
    """The models that are late with `late`, by the channel of their stakeholders:
    `channels` names it, of models that have one. A model of two late inputs is late
    with both, so that what is said of an input holds whatever becomes of the other.
    """
    found: dict[str, list[str]] = {}
    for model, channel in channels.items():
        if late in made_from[model] or model in dependents:
            found.setdefault(channel, []).append(model)
    return {channel: tuple(models) for channel, models in found.items()}


def lineage(catalogue: Catalogue) -> Lineage:
    """What each dataset and model is made from, if it is made from any."""
    children = {
        name: frozenset({dataset.source.parent.dataset})
        for name, dataset in catalogue.datasets.items()
        if dataset.source.parent is not None
    }
    return children | {
        name: frozenset(inputs_of(catalogue, name)) for name in catalogue.models
    }


def with_models(
    made_from: Lineage, late: Sequence[str], models: Iterable[str]
) -> list[str]:
    """Those that are late, and the models that are late with one of them."""
    known = frozenset(late)
    return [
        *late,
        *(one for one in sorted(models) if made_from[one] & known and one not in known),
    ]


def inhibition(
    made_from: Lineage,
    late: Iterable[str],
    *,
    told_at: Mapping[str, Hashable] | None = None,
) -> Inhibition:
    """Who is the echo of whom, of those that are late, the worst first. `told_at` is
    where people are told of a dataset; what it does not name goes with its origin.

    A chain of late ones is told of at its beginning. Datasets in a circle, which no
    catalogue should have, inhibit nobody.
    """
    places = told_at or {}
    ordered = list(late)
    known = set(ordered)
    by: dict[str, str] = {}
    of: dict[str, list[str]] = {}
    beside: dict[str, str] = {}
    for name in ordered:
        origin = _origin(made_from, known, name)
        if origin is None:
            continue
        place = places.get(origin)
        if places.get(name, place) != place:
            beside[name] = origin
        else:
            by[name] = origin
            of.setdefault(origin, []).append(name)
    told_with = {name: tuple(found) for name, found in of.items()}
    return Inhibition(by=by, of=told_with, beside=beside)


def _origin(made_from: Lineage, late: set[str], name: str) -> str | None:
    """The late dataset that a chain of late ones begins with; None: with itself."""
    seen = {name}
    at = name
    while parents := sorted((made_from.get(at) or frozenset()) & late):
        at = parents[0]
        if at in seen:
            return None
        seen.add(at)
    return None if at == name else at
