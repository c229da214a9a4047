"""What a model accepts, in words: for faults and for the reference alike."""

from __future__ import annotations

import types
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from lambdas.core.dataset import NAME_PATTERN, Days, Name
from lambdas.core.records.json_path import AnswerPath, JsonPath

Annotation: TypeAlias = Any
"""A type, at run time."""

NAMED: tuple[tuple[Annotation, str], ...] = (
    (
        Name,
        "a name: a letter, then letters, digits and _, all in lower case, 48 at most",
    ),
    (JsonPath, "a path such as `data.items` or `rows[0].time`"),
    (
        AnswerPath,
        "a path such as `data.next` or `link[?relation=='next'].url`",
    ),
    (Days, "a number of days, such as `90 days`"),
)
_SCALARS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def annotation_of(field: FieldInfo) -> Annotation:
    """A field's type with its constraints, as it was annotated."""
    if field.metadata:
        return Annotated[(field.annotation, *field.metadata)]
    return field.annotation


def key_of(name: str, field: FieldInfo) -> str:
    """The key that YAML uses for a field."""
    return field.alias or name


_OF_THE_FILE = {
    ("Dataset", "name"),
    *(("SqlModel", name) for name in ("name", "sql", "output", "origins")),
}
"""What a file says by its name or its text."""


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model under the keys that a file may have.

    A dataset's name is its file's, so it is no key; a model's SELECT is none, too.
    """
    return {
        key_of(name, field): field
        for name, field in model.model_fields.items()
        if (model.__name__, name) not in _OF_THE_FILE
    }


def is_model(annotation: Annotation) -> bool:
    """Whether a type is a model."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def members(annotation: Annotation) -> tuple[Annotation, ...]:
    """The alternatives of a type, None among them; itself if there is one only."""
    if any(annotation == named for named, _ in NAMED):
        return (annotation,)
    origin = origin_of(annotation)
    if origin is Annotated:
        inner, *constraints = get_args(annotation)
        alternatives = members(inner)
        if alternatives == (inner,):
            return (annotation,)
        return tuple(
            one
            if is_model(one) or one is type(None)
            else Annotated[(one, *constraints)]
            for one in alternatives
        )
    if origin in (Union, types.UnionType):
        return tuple(one for part in get_args(annotation) for one in members(part))
    return (annotation,)


def origin_of(annotation: object) -> object:
    """What a generic type is of: `dict` for `dict[str, int]`."""
    return get_origin(annotation)


def bare(annotation: Annotation) -> Annotation:
    """A type without its constraints."""
    while origin_of(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def either(words: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} or {words[-1]}"


def accepted(annotation: Annotation, *, with_bounds: bool = True) -> str:
    """What a type accepts, null left out unless it is all there is."""
    words = [
        _one(one, with_bounds=with_bounds)
        for one in members(annotation)
        if one is not type(None)
    ]
    models = [one for one in members(annotation) if is_model(one)]
    if len(models) > 1:
        words = [f"a mapping with `type`: {either(tags_of(models))}"]
    if _SCALARS[float] in words and _SCALARS[int] in words:
        words.remove(_SCALARS[int])
    return either(list(dict.fromkeys(words))) if words else "nothing"


def tags_of(models: list[type[BaseModel]]) -> list[str]:
    """The values of `type` that tell these models apart."""
    return [str(get_args(model.model_fields["type"].annotation)[0]) for model in models]


@lru_cache(maxsize=512)
def _bounds(constraints: tuple[Any, ...]) -> str:
    words: list[str] = []
    for one in constraints:
        for part in one.metadata if isinstance(one, FieldInfo) else (one,):
            match part:
                case annotated_types.Gt(gt=bound):
                    words.append(f"above {bound}")
                case annotated_types.Ge(ge=bound):
                    words.append(f"from {bound}")
                case annotated_types.Le(le=bound):
                    words.append(f"up to {bound}")
                case annotated_types.Lt(lt=bound):
                    words.append(f"below {bound}")
                case annotated_types.MinLen(min_length=length):
                    words.append(f"of at least {length}")
                case annotated_types.MaxLen(max_length=length):
                    words.append(f"of at most {length}")
                case _:
                    continue
    return " ".join(words)


def _one(annotation: Annotation, *, with_bounds: bool) -> str:  # noqa: C901 - a table
    for named, words in NAMED:
        if annotation == named or bare_equal(annotation, named):
            return words
    bounds = ""
    if origin_of(annotation) is Annotated and with_bounds:
        bounds = _bounds(tuple(get_args(annotation)[1:]))
    plain = bare(annotation)
    origin, arguments = origin_of(plain), get_args(plain)
    if plain in _SCALARS:
        text = _SCALARS[plain]
    elif origin is Literal:
        text = either([str(value) for value in arguments])
    elif origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:  # noqa: PLR2004
        text = f"a list, each of it {accepted(arguments[0])}"
    elif origin is tuple:
        text = f"a list of {len(arguments)}, each of it {accepted(arguments[0])}"
    elif origin is dict:
        text = f"a mapping of names to {accepted(arguments[1])}"
    elif plain == JsonValue:
        text = "any value"
    elif is_model(plain):
        text = f"a mapping with {', '.join(fields_of(plain))}"
    else:
        text = str(getattr(plain, "__name__", plain))
    return f"{text} {bounds}".rstrip()


def bare_equal(annotation: Annotation, named: Annotation) -> bool:
    """Whether `annotation` is `named`, perhaps with constraints around it."""
    if origin_of(annotation) is not Annotated:
        return False
    if named is Name:  # a field keeps the pattern alone
        return any(
            getattr(one, "pattern", None) == NAME_PATTERN
            for one in get_args(annotation)[1:]
        )
    inner, *constraints = get_args(annotation)
    wanted, *first = get_args(named)
    return inner == wanted and constraints[: len(first)] == first
