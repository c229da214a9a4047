"""CloudFormation's functions, resolved.

Pure: a template's value in, what it stands for out. What is not handled is named.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class TemplateNotUnderstood(Exception):
    """A template uses a function, parameter or name that is not handled."""


class Resources(Protocol):
    """What already exists, by logical id."""

    def ref(self, logical_id: str) -> str:
        """The physical id. Raises TemplateNotUnderstood if there is none."""

    def attribute(self, logical_id: str, name: str) -> object:
        """An attribute. Raises TemplateNotUnderstood if it is not known."""


NO_VALUE = object()
"""`AWS::NoValue`: the property is as if it were not written."""

_SUB = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Resolves the values of one stack's template."""

    pseudo: Mapping[str, object]
    parameters: Mapping[str, object]
    conditions: Mapping[str, Any]
    mappings: Mapping[str, Any]
    exports: Mapping[str, object]
    resources: Resources

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """`value` with every function in it replaced by what it stands for."""
        if isinstance(value, list):
            found = [self.resolve(one) for one in value]
            return [one for one in found if one is not NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref":
                return self._ref(argument)
            if name == "Condition" and isinstance(argument, str):
                return self.condition(argument)
            if name.startswith("Fn::"):
                return self._call(name, argument)
        found_items = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in found_items.items() if one is not NO_VALUE}

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        if name not in self.conditions:
            raise TemplateNotUnderstood(f"there is no condition `{name}`")
        return bool(self.resolve(self.conditions[name]))

    def _call(self, name: str, argument: Any) -> Any:  # noqa: ANN401 - JSON
        function = _FUNCTIONS.get(name)
        if function is None:
            raise TemplateNotUnderstood(
                f"`{name}` is not handled; handled: Ref, Condition, "
                f"{', '.join(sorted(_FUNCTIONS))}"
            )
        return function(self, argument)

    def _ref(self, name: str) -> Any:  # noqa: ANN401 - a parameter may be a list
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        return self.resources.ref(name)

    def get_att(self, argument: Any) -> object:  # noqa: ANN401 - JSON
        """`[logical id, attribute]`, or both with a dot."""
        if isinstance(argument, str):
            logical_id, _, name = argument.partition(".")
        else:
            logical_id, name = argument
        return self.resources.attribute(logical_id, str(self.resolve(name)))

    def sub(self, argument: Any) -> str:  # noqa: ANN401 - JSON
        """`${Name}`, `${Name.Attribute}`, own names first, `${!literal}` as it is."""
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def fill(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in own:
                return str(self.resolve(own[name]))
            if "." in name:
                return str(self.get_att(name))
            return str(self._ref(name))

        return _SUB.sub(fill, text)

    def join(self, argument: Any) -> str:  # noqa: ANN401 - JSON
        """`[separator, values]`."""
        separator, values = argument
        return str(separator).join(str(one) for one in self.resolve(values))

    def import_value(self, argument: Any) -> object:  # noqa: ANN401 - JSON
        """An output of another stack, by its export's name."""
        name = str(self.resolve(argument))
        if name not in self.exports:
            raise TemplateNotUnderstood(
                f"no stack deployed so far exports `{name}`; exported: "
                f"{', '.join(sorted(self.exports)) or 'nothing'}"
            )
        return self.exports[name]

    def choose(self, argument: Any) -> Any:  # noqa: ANN401 - JSON
        """`[condition, then, else]`; only the branch taken is resolved."""
        name, then, otherwise = argument
        return self.resolve(then if self.condition(name) else otherwise)

    def select(self, argument: Any) -> Any:  # noqa: ANN401 - JSON
        """`[index, values]`."""
        index, values = argument
        return self.resolve(values)[int(self.resolve(index))]

    def split(self, argument: Any) -> list[str]:  # noqa: ANN401 - JSON
        """`[separator, text]`."""
        separator, text = argument
        return str(self.resolve(text)).split(separator)

    def equals(self, argument: Sequence[Any]) -> bool:
        """`[one, other]`."""
        one, other = (self.resolve(each) for each in argument)
        return bool(one == other)

    def find_in_map(self, argument: Any) -> Any:  # noqa: ANN401 - JSON
        """`[map, first key, second key]`."""
        name, first, second = (self.resolve(one) for one in argument)
        try:
            return self.mappings[name][first][second]
        except KeyError:
            raise TemplateNotUnderstood(
                f"there is no mapping `{name}.{first}.{second}`"
            ) from None


_FUNCTIONS: dict[str, Callable[[Resolver, Any], Any]] = {
    "Fn::And": lambda self, argument: all(self.resolve(one) for one in argument),
    "Fn::Base64": lambda self, argument: base64.b64encode(
        str(self.resolve(argument)).encode()
    ).decode(),
    "Fn::Equals": Resolver.equals,
    "Fn::FindInMap": Resolver.find_in_map,
    "Fn::GetAtt": Resolver.get_att,
    "Fn::If": Resolver.choose,
    "Fn::ImportValue": Resolver.import_value,
    "Fn::Join": Resolver.join,
    "Fn::Not": lambda self, argument: not self.resolve(argument[0]),
    "Fn::Or": lambda self, argument: any(self.resolve(one) for one in argument),
    "Fn::Select": Resolver.select,
    "Fn::Split": Resolver.split,
    "Fn::Sub": Resolver.sub,
}


def references(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Every logical id (and parameter) that a value names; some more than once."""
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    elif isinstance(value, Mapping):
        for name, argument in value.items():
            if name == "Ref" and isinstance(argument, str):
                yield argument
            elif name == "Fn::GetAtt":
                yield (
                    argument.split(".")[0] if isinstance(argument, str) else argument[0]
                )
            elif name == "Fn::Sub":
                text = argument if isinstance(argument, str) else argument[0]
                for literal, inner in _SUB.findall(text):
                    if not literal:
                        yield inner.split(".")[0]
                yield from references(argument)
            else:
                yield from references(argument)


def stringified(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Properties of a custom resource as CloudFormation sends them: every number and
    boolean is a text (CloudFormation user guide, "Custom resource request objects").
    """
    if isinstance(value, Mapping):
        return {key: stringified(one) for key, one in value.items()}
    if isinstance(value, list):
        return [stringified(one) for one in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None or isinstance(value, str) else str(value)
