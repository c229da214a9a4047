"""Who may do what, whole: a grant that is taken away, added or widened shows here.

That each is needed, and that nothing is lacking, `tests/local/test_grants_are_used.py`
holds after `make grants`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.stacks.conftest import Templates
from tests.stacks.grants import LISTED, grants, listed

Statement = dict[str, Any]


def test_what_templates_allow_is_what_is_listed_and_nothing_else(
    templates: Templates,
) -> None:
    assert grants(templates) == LISTED.read_text().splitlines(), (
        "`make generate` lists it for whoever reviews, `make grants` runs what needs it"
    )


def test_no_change_of_a_roles_statement_goes_unseen(templates: Templates) -> None:
    whole = grants(templates)
    changed = 0
    for part, name, resource in templates.resources("AWS::IAM::Policy"):
        for number, statement in enumerate(_statements(resource)):
            for change in _changes(statement):
                other = copy.deepcopy(templates.by_part[part])
                change(_statements(other["Resources"][name])[number])
                with_it = {**templates.by_part, part: other}
                assert grants(replace(templates, by_part=with_it)) != whole
                changed += 1
    assert changed > 300


def _statements(policy: dict[str, Any]) -> list[Statement]:
    found: list[Statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def _changes(statement: Statement) -> Iterator[Callable[[Statement], None]]:
    """Each action and each resource is taken away, another is added, and the condition
    goes.
    """

    def put(key: str, value: object) -> Callable[[Statement], None]:
        return lambda other: other.update({key: value})

    for key in ("Action", "Resource"):
        every = listed(statement[key])
        yield put(key, [*every, "s3:GetObjectAcl"])
        for one in every:
            yield put(key, [other for other in every if other != one])
    if "Condition" in statement:
        yield put("Condition", {})
