"""A deploy of today's templates over those of before makes nothing anew that holds
something.
"""

from __future__ import annotations

import copy
from dataclasses import replace

from tests.stacks.conftest import Templates
from tests.stacks.kept import KEPT, LISTED, MADE_ANEW, kept


def test_what_stands_is_found_again_by_every_later_version(
    templates: Templates,
) -> None:
    before, now = LISTED.read_text().splitlines(), kept(templates)
    gone = [one for one in before if one not in now]
    assert not gone, (
        "a deploy over an earlier version would make these anew, lose what they hold, "
        "or fail: give them their logical id and properties back (an export that "
        "nobody imports any more: `self.export_value`). If they have to go, say in "
        'docs/deploying.md, "Upgrading", what to do, and delete their lines in '
        f"tests/stacks/kept.txt: {gone}"
    )
    new = [one for one in now if one not in before]
    assert not new, f"`make generate` adds them to tests/stacks/kept.txt: {new}"


def test_each_type_is_kept_or_known_to_hold_nothing(templates: Templates) -> None:
    known = {*KEPT, *MADE_ANEW}
    unknown = {
        kind
        for _, template in templates.by_part.items()
        for kind in (one["Type"] for one in template["Resources"].values())
        if kind not in known and not kind.startswith("Custom::")
    }
    assert not unknown, (
        f"what does a second one of them cost? tests/stacks/kept.py: {unknown}"
    )


def test_another_logical_id_or_a_property_that_makes_anew_is_seen(
    templates: Templates,
) -> None:
    whole = kept(templates)

    def seen(part: str, logical_id: str, *, other_id: bool, change: str = "") -> bool:
        template = copy.deepcopy(templates.by_part[part])
        resource = template["Resources"].pop(logical_id)
        if change:
            resource.setdefault("Properties", {})[change] = "another"
        template["Resources"][logical_id + ("2" if other_id else "")] = resource
        by_part = {**templates.by_part, part: template}
        return not set(whole) <= set(kept(replace(templates, by_part=by_part)))

    tried = 0
    for kind, fixed in KEPT.items():
        for part, logical_id, resource in templates.resources(kind):
            if kind == "AWS::IAM::Role" and "RoleName" not in resource["Properties"]:
                continue
            assert seen(part, logical_id, other_id=True), logical_id
            for name in fixed:
                assert seen(part, logical_id, other_id=False, change=name), name
                tried += 1
    assert tried > 50


def test_an_export_that_an_earlier_version_imports_is_missed(
    templates: Templates,
) -> None:
    part = copy.deepcopy(templates["landing"])
    part["Outputs"].popitem()
    by_part = {**templates.by_part, "landing": part}
    gone = set(kept(templates)) - set(kept(replace(templates, by_part=by_part)))
    assert [one.split(" | ")[2] for one in gone] == ["export"]
