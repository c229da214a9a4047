"""Names of datasets and APIs that a person may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lambdas.core.errors import BadInput
from project.fault import quoted
from project.model_faults import likeness, nearest

_LIKE = 0.7
_UNLIKE = 0.4
"""What has less in common with a name is no suggestion."""
_LISTED = 20


def declared(folder: Path) -> list[str]:
    """The names that files of a folder declare, whatever stands in them."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def refuse_unknown(name: str, known: Iterable[str], *, apis: Path) -> None:
    """Raise BadInput unless it is a dataset; with the name most like it."""
    datasets, others = sorted(known), declared(apis)
    if name in datasets:
        return
    if name in others:
        said = f"{quoted(name)} is an API, not a dataset"
    else:
        said = (
            f"there is no dataset {quoted(name)}{_suggestion(name, datasets, others)}"
        )
    raise BadInput(f"{said}; {_listed(datasets)}")


def _suggestion(name: str, datasets: list[str], apis: list[str]) -> str:
    if not datasets and not apis:
        return ""
    near = nearest(name, [*datasets, *apis])
    if likeness(name, near) < _LIKE and datasets:
        near = nearest(name, datasets)
    if likeness(name, near) < _UNLIKE:
        return ""
    kind = "" if near in datasets else "the API "
    return f"; the nearest name is {kind}`{near}`"


def _listed(datasets: list[str]) -> str:
    if not datasets:
        return "no dataset is declared yet: `catflap new NAME --from URL` writes one"
    more = len(datasets) - _LISTED
    end = f" and {more} more" if more > 0 else ""
    return f"accepted: {', '.join(datasets[:_LISTED])}{end}"
