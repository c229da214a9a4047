"""Models as sections of a page: a table of keys for each, and for each below it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lambdas.core.dataset import Api, Column
from project.model_words import (
    accepted,
    annotation_of,
    bare,
    fields_of,
    is_model,
    members,
    origin_of,
)


def sections(
    model: type[BaseModel], path: str, seen: set[type[BaseModel]]
) -> Iterator[str]:
    """The model at `path`, then the models of its keys, each once."""
    if model in seen:
        return
    seen.add(model)
    if path:
        tag = model.model_fields.get("type")
        literal = model is not Column and tag is not None
        suffix = f" of type `{accepted(annotation_of(tag))}`" if literal and tag else ""
        yield f"### `{path}`{suffix}\n"
    yield f"{_first_sentence(model)}\n"
    yield _table(model)
    for key, field in fields_of(model).items():
        here = f"{path}.{key}" if path else key
        for below, suffix in _models_in(annotation_of(field)):
            if below is not Api:
                yield from sections(below, f"{here}{suffix}", seen)


def _models_in(annotation: object) -> Iterator[tuple[type[BaseModel], str]]:
    for one in members(annotation):
        if is_model(one):
            yield one, ""
        elif origin_of(bare(one)) is tuple:
            for below, _ in _models_in(bare(one).__args__[0]):
                yield below, "[]"
        elif origin_of(bare(one)) is dict:
            for below, _ in _models_in(bare(one).__args__[1]):
                yield below, ".<name>"


def _table(model: type[BaseModel]) -> str:
    rows = ["| key | accepts | default | meaning |", "|---|---|---|---|"]
    rows += [
        f"| `{key}` | {_type_of(field)} | {_default(key, field)} "
        f"| {_meaning(key, field)} |"
        for key, field in fields_of(model).items()
    ]
    return "\n".join(rows) + "\n"


def _type_of(field: FieldInfo) -> str:
    annotation = annotation_of(field)
    models = [one for one in members(annotation) if is_model(one)]
    words = accepted(annotation)
    if len(models) == 1:
        words = words.replace(accepted(models[0]), "a mapping (below)")
    for below, _ in _models_in(annotation):
        words = words.replace(accepted(below), "a mapping (below)")
    return words.replace("|", "\\|")


def _default(key: str, field: FieldInfo) -> str:
    if field.is_required() or (key == "type" and field.default is not None):
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        kind = getattr(value, "type", None)
        return f"`{{type: {kind}}}`" if kind else "its keys' own"
    if value in ((), {}):
        return "none"
    return f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def _meaning(key: str, field: FieldInfo) -> str:
    return (field.description or ("which one it is" if key == "type" else "")).replace(
        "|", "\\|"
    )


def _first_sentence(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
