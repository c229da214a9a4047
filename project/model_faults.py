"""What in a value does not fit a model: every fault, in sentences for people.

pydantic decides about each single value, and about a whole model's own rules. The walk
is ours, since a person wrote one branch of a union and wants to hear of that one only,
and since all faults of a file are told at once: what is sound beside a fault is kept,
so that the rules between keys can be checked as well.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from lambdas.core.dataset import Api, Dataset
from project.fault import Key, Location, quoted
from project.model_words import (
    Annotation,
    accepted,
    annotation_of,
    bare,
    fields_of,
    is_model,
    members,
    origin_of,
    tags_of,
)
from project.yaml_nodes import Value

_NEAR = 0.7
_PRIVATE = re.compile(
    r"auth|headers|params|json|token|secret|passw|api_?key|credential|base_url|url",
    re.IGNORECASE,
)


@dataclass(slots=True, kw_only=True)
class ModelFindings:
    """What a walk found.

    `faults` are (location, sentence). `dropped` are the locations of values that were
    left out or replaced, about which no rule may say anything more.
    """

    faults: list[tuple[Location, str]] = field(default_factory=list)
    dropped: list[Location] = field(default_factory=list)

    def add(self, location: Location, sentence: str, *, drop: bool = True) -> None:
        """Keep a fault."""
        self.faults.append((location, sentence))
        if drop:
            self.dropped.append(location)


class _Dropped:
    """Stands for a value that did not fit."""


DROPPED = _Dropped()


def walk_model(
    model: type[BaseModel],
    value: Value,
    location: Location,
    found: ModelFindings,
) -> Value:
    """What of `value` fits `model`, placeholders for required keys; else `found`."""
    if not isinstance(value, dict):
        found.add(location, _must_be(model, value, location))
        return DROPPED
    before = len(found.faults)
    fields = fields_of(model)
    clean: dict[str, Value] = {}
    for key, below in value.items():
        if key not in fields:
            _unknown_key(key, list(fields), location, found)
            continue
        kept = walk(annotation_of(fields[key]), below, (*location, key), found)
        if not isinstance(kept, _Dropped):
            clean[key] = kept
    for key, one in fields.items():
        if not one.is_required() or key in clean:
            continue
        annotation = annotation_of(one)
        if key not in value:
            found.add((*location, key), f"is missing; accepted: {accepted(annotation)}")
        clean[key] = placeholder(annotation)
    if len(found.faults) == before and _has_rules(model):
        return _own_rules(model, clean, location, found)
    return clean


def walk(
    annotation: Annotation, value: Value, location: Location, found: ModelFindings
) -> Value:
    """As `walk_model`, for any type that a field may have."""
    alternatives = members(annotation)
    if bare(annotation) == JsonValue:
        return value
    if value is None and type(None) in alternatives:
        return None
    if isinstance(value, dict):
        return _walk_mapping(annotation, value, location, found)
    if isinstance(value, list):
        for one in alternatives:
            if origin_of(bare(one)) is tuple:
                return _walk_list(bare(one), value, location, found)
    sentence = _scalar_fault(annotation, value, location)
    if sentence is None:
        return value
    found.add(location, sentence)
    return DROPPED


def placeholder(annotation: Annotation) -> Value:
    """Some value that fits a type, to go on where a required one is faulty."""
    for one in members(annotation):
        if is_model(one):
            fields = fields_of(one)
            return {
                key: placeholder(annotation_of(each))
                for key, each in fields.items()
                if each.is_required()
            }
        if origin_of(bare(one)) is Literal:
            return get_args(bare(one))[0]
    candidates: tuple[Any, ...] = ("x", 1, "1 day", {}, [], True)
    for value in candidates:
        if _errors(annotation, value) == []:
            return value
    message = f"no placeholder for {annotation}"
    raise AssertionError(message)


def nearest(word: str, known: list[str]) -> str:
    """The known word that is most like `word`; there is always one."""
    folded = word.casefold().replace("-", "_")
    return max(
        known,
        key=lambda one: difflib.SequenceMatcher(None, folded, one.casefold()).ratio(),
    )


def likeness(word: str, other: str) -> float:
    """From 0 (nothing in common) to 1 (the same)."""
    return difflib.SequenceMatcher(None, word.casefold(), other.casefold()).ratio()


def shown(value: Value, location: Location) -> str:
    """A value as a fault may show it: never where secrets stand."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    if isinstance(value, bool):
        return "true" if value else "false"
    kind = "text" if isinstance(value, str) else "number"
    if any(isinstance(key, str) and _PRIVATE.search(key) for key in location):
        return f"a {kind}"
    written = quoted(value) if isinstance(value, str) else str(value)
    return f"the {kind} {written}" if value != "" else "an empty text"


def _walk_mapping(
    annotation: Annotation,
    value: dict[str, Value],
    location: Location,
    found: ModelFindings,
) -> Value:
    alternatives = members(annotation)
    models = [one for one in alternatives if is_model(one)]
    if len(models) == 1:
        return walk_model(models[0], value, location, found)
    if models:
        return _walk_tagged(models, value, location, found)
    for one in alternatives:
        if origin_of(bare(one)) is dict:
            below = get_args(bare(one))[1]
            kept = {
                key: walk(below, each, (*location, key), found)
                for key, each in value.items()
            }
            return {
                key: each
                for key, each in kept.items()
                if not isinstance(each, _Dropped)
            }
    found.add(location, _must_be(annotation, value, location))
    return DROPPED


def _walk_tagged(
    models: list[type[BaseModel]],
    value: dict[str, Value],
    location: Location,
    found: ModelFindings,
) -> Value:
    tags = tags_of(models)
    known = ", ".join(tags)
    tag = value.get("type")
    if "type" not in value:
        found.add((*location, "type"), f"is missing; accepted: {known}")
    elif not isinstance(tag, str):
        found.add(
            (*location, "type"),
            f"must be text, not {shown(tag, location)}; accepted: {known}",
        )
    elif tag not in tags:
        found.add((*location, "type"), _not_known(tag, tags))
    else:
        return walk_model(models[tags.index(tag)], value, location, found)
    found.dropped.append(location)
    return DROPPED


def _walk_list(
    annotation: Annotation,
    value: list[Any],
    location: Location,
    found: ModelFindings,
) -> Value:
    arguments = get_args(annotation)
    if arguments[-1] is not Ellipsis and len(arguments) != len(value):
        found.add(
            location,
            f"has {len(value)} elements; accepted: {accepted(annotation)}",
        )
        return DROPPED
    kept: list[Any] = []
    for index, each in enumerate(value):
        clean = walk(arguments[0], each, (*location, index), found)
        if isinstance(clean, _Dropped):
            clean = placeholder(arguments[0])
        kept.append(clean)
    return kept


def _unknown_key(
    key: str, known: list[str], location: Location, found: ModelFindings
) -> None:
    near = nearest(key, known)
    is_near = likeness(key, near) >= _NEAR
    if is_near:
        found.dropped.append((*location, near))
    elsewhere = "" if is_near else _elsewhere(key)
    hint = f" (there is {elsewhere})" if elsewhere else ""
    if not location and key == "name":
        hint = " (the name of the file is the name)"
    found.add(
        (*location, key),
        f"unknown key, the nearest known one is {quoted(near)}{hint}; "
        f"accepted: {', '.join(known)}",
        drop=False,
    )


def _elsewhere(key: str) -> str:
    paths = [path for path in _all_keys() if path.rpartition(".")[2] == key]
    return paths[0] if len(paths) == 1 else ""


@cache
def _all_keys() -> tuple[str, ...]:
    found: list[str] = []

    def collect(model: type[BaseModel], path: str) -> None:
        for key, one in fields_of(model).items():
            found.append(f"{path}{key}")
            below = [each for each in members(annotation_of(one)) if is_model(each)]
            if len(below) == 1 and below[0] is not Api:
                collect(below[0], f"{path}{key}.")

    collect(Dataset, "")
    return tuple(found)


def _not_known(word: str, known: list[str]) -> str:
    return (
        f"{quoted(word)} is not known, the nearest known one is "
        f"{quoted(nearest(word, known))}; accepted: {', '.join(known)}"
    )


def _must_be(annotation: Annotation, value: Value, location: Location) -> str:
    words = accepted(annotation)
    kind = "a mapping" if words.startswith("a mapping") else words
    if kind == words:
        kind = accepted(annotation, with_bounds=False)
    return f"must be {kind}, not {shown(value, location)}; accepted: {words}"


@cache
def _adapter(annotation: Annotation) -> TypeAdapter[Any]:
    if is_model(annotation):
        return TypeAdapter(annotation)
    return TypeAdapter(annotation, config=ConfigDict(strict=True))


def _errors(annotation: Annotation, value: Value) -> list[Any]:
    try:
        _adapter(annotation).validate_json(json.dumps(value))
    except ValidationError as error:
        return error.errors(include_input=False, include_url=False)
    return []


def _scalar_fault(
    annotation: Annotation, value: Value, location: Location
) -> str | None:
    errors = _errors(annotation, value)
    if not errors:
        return None
    words = accepted(annotation)
    alternatives = [one for one in members(annotation) if one is not type(None)]
    literals = [one for one in alternatives if origin_of(bare(one)) is Literal]
    if literals and isinstance(value, str):
        sentence = _not_known(value, [str(one) for one in get_args(bare(literals[0]))])
        others = [accepted(one) for one in alternatives if one is not literals[0]]
        return " or ".join([sentence, *others])
    kinds = {error["type"]: error for error in errors}
    what = shown(value, location)
    if "value_error" in kinds and isinstance(value, str):
        return completed(str(kinds["value_error"]["ctx"]["error"]), words)
    if "string_pattern_mismatch" in kinds:
        return f"cannot be {what}; accepted: {words}"
    for kind, sentence in _TOO.items():
        if kind in kinds:
            return f"{sentence}, it is {what}; accepted: {words}"
    return _must_be(annotation, value, location)


_TOO = {
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
}


def completed(sentence: str, words: str) -> str:
    """A sentence that also says what is accepted."""
    return sentence if ";" in sentence else f"{sentence}; accepted: {words}"


@cache
def _has_rules(model: type[BaseModel]) -> bool:
    rules = model.__pydantic_decorators__
    return bool(rules.model_validators or rules.field_validators)


def _own_rules(
    model: type[BaseModel],
    clean: dict[str, Value],
    location: Location,
    found: ModelFindings,
) -> Value:
    errors = _errors(model, clean)
    for error in errors:
        below: tuple[Key, ...] = tuple(
            key for key in error["loc"] if isinstance(key, int) or key in clean
        )
        own = error.get("ctx", {}).get("error")
        sentence = str(own) if own is not None else str(error["msg"])
        found.add(
            (*location, *below),
            completed(sentence, f"a mapping with {', '.join(fields_of(model))}"),
        )
    return DROPPED if errors else clean
