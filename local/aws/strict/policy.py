"""What an IAM policy says about one call, decided as AWS decides it.

Pure: documents and a request in, a decision out. The rules are those of the IAM user
guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import TypeAlias

Context: TypeAlias = Mapping[str, Sequence[str]]
"""Condition keys of a request, lower case, each with its values."""

Document: TypeAlias = Mapping[str, object]


class Decision(Enum):
    """What all policies of a principal together say."""

    ALLOWED = "allowed"
    IMPLICITLY_DENIED = "no statement allows it"
    EXPLICITLY_DENIED = "a statement denies it"


class PolicyNotUnderstood(Exception):
    """A policy uses something that is not evaluated here; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One action on one resource, with what conditions may look at."""

    action: str
    resource: str
    context: Context


def decide(documents: Iterable[Document], call: Call) -> Decision:
    """A Deny in any document wins; without an Allow nothing is allowed."""
    allowed = False
    for document in documents:
        for statement in statements_of(document):
            if not _applies(statement, call):
                continue
            if statement["Effect"] == "Deny":
                return Decision.EXPLICITLY_DENIED
            allowed = True
    return Decision.ALLOWED if allowed else Decision.IMPLICITLY_DENIED


def admitted_by(documents: Iterable[Document], call: Call) -> set[tuple[str, str]]:
    """The pairs of action and resource, as policies write them, that allow a call."""
    return {
        (str(action), str(resource))
        for document in documents
        for statement in statements_of(document)
        if statement["Effect"] == "Allow" and _applies(statement, call)
        for action in listed(statement.get("Action", "*"))
        if matches(str(action).lower(), call.action.lower())
        for resource in listed(statement.get("Resource", "*"))
        if matches(_with_variables(str(resource), call.context) or "", call.resource)
    }


def trusts(
    document: Document, *, action: str, principal: str, context: Context
) -> bool:
    """Whether a role's trust policy lets `principal` take it.

    `principal` is an ARN, or the name of a service such as `lambda.amazonaws.com`.
    """
    call = Call(action=action, resource="", context=context)
    allowed = False
    for statement in statements_of(document):
        if not _names_principal(statement, principal):
            continue
        if not _names_action(statement, action) or not _conditions_hold(
            statement, call.context
        ):
            continue
        if statement["Effect"] == "Deny":
            return False
        allowed = True
    return allowed


def statements_of(document: Document) -> list[Mapping[str, object]]:
    """The statements of a document, which may be one or a list."""
    return [_mapping(one) for one in listed(document["Statement"])]


def listed(value: object) -> list[object]:
    """A JSON element that may stand alone or in a list, as a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def matches(pattern: str, value: str) -> bool:
    """AWS's own wildcards: `*` is any text, `?` any one character."""
    return _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A policy is asked about every call."""
    parts = (
        ".*" if char == "*" else "." if char == "?" else re.escape(char)
        for char in pattern
    )
    return re.compile("".join(parts), re.DOTALL)


def _applies(statement: Mapping[str, object], call: Call) -> bool:
    return (
        _names_action(statement, call.action)
        and _names_resource(statement, call)
        and _conditions_hold(statement, call.context)
    )


def _names_action(statement: Mapping[str, object], action: str) -> bool:
    """Actions are compared without case."""
    element = "NotAction" if "NotAction" in statement else "Action"
    found = any(
        matches(str(pattern).lower(), action.lower())
        for pattern in listed(statement[element])
    )
    return found != (element == "NotAction")


def _names_resource(statement: Mapping[str, object], call: Call) -> bool:
    element = "NotResource" if "NotResource" in statement else "Resource"
    patterns = (
        _with_variables(str(pattern), call.context)
        for pattern in listed(statement[element])
    )
    found = any(
        pattern is not None and matches(pattern, call.resource) for pattern in patterns
    )
    return found != (element == "NotResource")


def _with_variables(pattern: str, context: Context) -> str | None:
    """`${aws:PrincipalAccount}` filled in; None if the request has no such key."""
    for name in re.findall(r"\$\{([^}]+)\}", pattern):
        values = context.get(name.lower())
        if not values:
            return None
        pattern = pattern.replace(f"${{{name}}}", values[0])
    return pattern


def _names_principal(statement: Mapping[str, object], principal: str) -> bool:
    named = statement.get("Principal")
    if named == "*":
        return True
    if not isinstance(named, Mapping):
        return False
    if not principal.startswith("arn:"):
        return principal in listed(named.get("Service", []))
    account = principal.split(":")[4]
    accepted = {"*", account, f"arn:aws:iam::{account}:root", principal}
    session = re.fullmatch(r"(arn:[^:]+:)sts(::\d+:)assumed-role/([^/]+)/.*", principal)
    if session:
        accepted.add(f"{session[1]}iam{session[2]}role/{session[3]}")
    return any(one in accepted for one in listed(named.get("AWS", [])))


def _conditions_hold(statement: Mapping[str, object], context: Context) -> bool:
    """All operators and all keys must hold; the values of a key are alternatives."""
    for operator, keys in _mapping(statement.get("Condition", {})).items():
        for key, wanted in _mapping(keys).items():
            have = context.get(key.lower())
            if not _holds(operator, have, [_text(one) for one in listed(wanted)]):
                return False
    return True


def _holds(operator: str, have: Sequence[str] | None, wanted: Sequence[str]) -> bool:
    """One operator on one key; `have` is None when the request has no such key."""
    quantifier, _, rest = operator.rpartition(":")
    name, if_exists = re.fullmatch(r"(.*?)(IfExists)?", rest).groups()  # type: ignore[union-attr]  # the pattern matches every text
    if name == "Null":
        return (not have) == (wanted[0].lower() == "true")
    if name not in _OPERATORS:
        raise PolicyNotUnderstood(
            f"condition operator `{operator}` is not evaluated here; known: "
            f"{', '.join(sorted([*_OPERATORS, 'Null']))}"
        )
    compare, negated = _OPERATORS[name]
    if not have:
        # A negated operator and ForAllValues hold when the key is not there.
        return bool(if_exists) or negated or quantifier == "ForAllValues"

    def accepted(value: str) -> bool:
        return any(compare(value, one) for one in wanted) != negated

    if quantifier == "ForAllValues":
        return all(accepted(value) for value in have)
    if quantifier in ("", "ForAnyValue"):
        return any(accepted(value) for value in have)
    raise PolicyNotUnderstood(f"set operator `{quantifier}` does not exist")


def _text(value: object) -> str:
    """JSON's true and 1 as IAM compares them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise PolicyNotUnderstood(f"an object was expected, not {value!r}")
    return value


def _moment(text: str) -> datetime:
    """ISO 8601, or seconds since 1970."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _same_bool(have: str, want: str) -> bool:
    return have.lower() == want.lower()


def _within(have: str, want: str) -> bool:
    return ipaddress.ip_address(have) in ipaddress.ip_network(want, strict=False)


def _arn_like(have: str, want: str) -> bool:
    """Each of the six parts is matched on its own: `*` does not cross a colon."""
    ours, theirs = have.split(":", 5), want.split(":", 5)
    return len(ours) == len(theirs) and all(
        matches(pattern, part) for part, pattern in zip(ours, theirs, strict=True)
    )


_Compare: TypeAlias = Callable[[str, str], bool]

_OPERATORS: dict[str, tuple[_Compare, bool]] = {
    "StringEquals": (lambda have, want: have == want, False),
    "StringNotEquals": (lambda have, want: have == want, True),
    "StringEqualsIgnoreCase": (_same_bool, False),
    "StringNotEqualsIgnoreCase": (_same_bool, True),
    "StringLike": (lambda have, want: matches(want, have), False),
    "StringNotLike": (lambda have, want: matches(want, have), True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
    "Bool": (_same_bool, False),
    "NumericEquals": (lambda have, want: float(have) == float(want), False),
    "NumericNotEquals": (lambda have, want: float(have) == float(want), True),
    "NumericLessThan": (lambda have, want: float(have) < float(want), False),
    "NumericLessThanEquals": (lambda have, want: float(have) <= float(want), False),
    "NumericGreaterThan": (lambda have, want: float(have) > float(want), False),
    "NumericGreaterThanEquals": (lambda have, want: float(have) >= float(want), False),
    "DateEquals": (lambda have, want: _moment(have) == _moment(want), False),
    "DateNotEquals": (lambda have, want: _moment(have) == _moment(want), True),
    "DateLessThan": (lambda have, want: _moment(have) < _moment(want), False),
    "DateLessThanEquals": (lambda have, want: _moment(have) <= _moment(want), False),
    "DateGreaterThan": (lambda have, want: _moment(have) > _moment(want), False),
    "DateGreaterThanEquals": (
        lambda have, want: _moment(have) >= _moment(want),
        False,
    ),
    "IpAddress": (_within, False),
    "NotIpAddress": (_within, True),
}
"""How each operator compares, and whether it is negated: a negated one holds when
*none* of the values fits."""
