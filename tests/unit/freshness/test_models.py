"""A model is told of with its late input, or by itself where only it is late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lambdas.core.dataset import Freshness, Owner, Period, SqlModel
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.human import Change
from lambdas.core.incidents.incident import Recipient, in_plain_words
from lambdas.core.incidents.message import as_mail
from lambdas.core.incidents.notice import COPIES
from lambdas.core.people.edit import edit
from tests.unit.freshness.test_check import MINUTES_5, House, fresh
from tests.watched import HOUR, FakeTable

PROMISED = Freshness(error_after=Period(count=2, period="hour"))


def a_house(*, cats: FakeTable, dogs: FakeTable, promise: Freshness) -> House:
    house = House({"cats": cats, "dogs": dogs})
    select = "select 1 from {{ ref('cats') }} join {{ ref('dogs') }}"
    house.models = [SqlModel(name="pets", sql=select, freshness=promise)]
    return house


def mail_of(house: House) -> str:
    batch = house.sns.batches[0]
    notice = next(one for one in batch.notices if one.audience == "engineers")
    return "\n".join(as_mail(notice.message))


def test_a_model_that_alone_is_late_is_told_once_by_its_own_name_and_its_end() -> None:
    house = a_house(cats=fresh(HOUR / 2), dogs=fresh(HOUR), promise=PROMISED)
    house.check()
    assert house.told(house.sns) == []
    house.age("cats", timedelta())
    told_after = next(
        minutes for minutes in range(5, 120, 5) if house.check(MINUTES_5).notices
    )
    assert told_after == 60 + 5  # two hours old is what was promised
    told = [("pets", "opened", "engineers"), ("pets", "opened", "stakeholders")]
    assert sorted(house.told(house.sns)) == told
    assert house.told(house.bus) == [("pets", "opened", "systems")]
    assert len(house.pages()) == 1
    said = mail_of(house)
    assert "its input dogs has nothing newer" in said
    assert "pull dogs more often" in said
    assert "docs/models.md" in said
    assert [house.check(MINUTES_5).notices for _ in range(3)] == [0, 0, 0]
    house.age("dogs", timedelta())
    house.check(MINUTES_5)
    assert sorted(house.told(house.sns))[2:] == [
        ("pets", "resolved", "engineers"),
        ("pets", "resolved", "stakeholders"),
    ]
    assert house.check(MINUTES_5).statements == 0
    loaded = {str(detail["dataset"]) for _, detail in house.events.published}
    assert loaded <= {"cats", "dogs"}  # a model is no load


@pytest.mark.parametrize("promise", [PROMISED, Freshness()])
def test_a_late_input_names_its_models_which_open_nothing(promise: Freshness) -> None:
    house = a_house(cats=fresh(), dogs=fresh(7 * HOUR), promise=promise)
    house.check()
    house.check(MINUTES_5)
    assert {name for name, *_ in house.told(house.sns)} == {"dogs"}
    (incident,) = house.state.all.values()
    assert incident.dependents == ("pets",)
    assert "Late with it" in mail_of(house)


def test_what_was_late_by_itself_is_told_with_its_input_from_then_on() -> None:
    house = a_house(cats=fresh(), dogs=fresh(2.5 * HOUR), promise=PROMISED)
    house.check()
    assert {name for name, *_ in house.told(house.sns)} == {"pets"}
    count = len(house.told(house.sns))
    for _ in range(7):
        house.check(MINUTES_5)
    assert {name for name, *_ in house.told(house.sns)[count:]} == {"dogs"}
    house.age("dogs", timedelta())
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    assert house.state.open == {}


def test_an_input_without_rows_says_nothing_of_a_model_and_wakes_nobody() -> None:
    house = a_house(cats=fresh(), dogs=FakeTable(None, None), promise=PROMISED)
    house.datasets[1] = house.datasets[1].model_copy(update={"freshness": Freshness()})
    house.check()
    assert "pets" not in house.state.seen
    assert house.check(MINUTES_5).statements == 0


def test_an_incident_of_a_model_ends_with_its_promise() -> None:
    house = a_house(cats=fresh(), dogs=fresh(2.5 * HOUR), promise=PROMISED)
    house.check()
    house.models = [house.models[0].model_copy(update={"freshness": Freshness()})]
    house.check(MINUTES_5)
    (incident,) = house.state.all.values()
    assert incident.ended_by == "not_promised"
    assert "pets" not in house.state.seen


def test_a_model_that_is_gone_ends_its_incident() -> None:
    house = a_house(cats=fresh(), dogs=fresh(2.5 * HOUR), promise=PROMISED)
    house.check()
    house.models = []
    house.check(MINUTES_5)
    (incident,) = house.state.all.values()
    assert incident.ended_by == "removed"


def test_people_who_use_a_model_read_why_in_their_words() -> None:
    assert "updated less often" in in_plain_words("input_too_old")


def of_two_owners(*models: tuple[str, str | None]) -> House:
    """Late cats, told in #cats, and these models of them with their channels."""
    house = a_house(cats=fresh(7 * HOUR), dogs=fresh(), promise=Freshness())
    owner = Owner(team="cats", stakeholders="#cats")
    house.datasets[0] = house.datasets[0].model_copy(update={"owner": owner})
    house.models = [
        a_model(name, channel) for name, channel in models or [("pets", "#pets")]
    ]
    return house


def a_model(name: str, channel: str | None) -> SqlModel:
    owner = Owner(team="analysts", slack="#analysts", stakeholders=channel)
    return SqlModel(name=name, sql="select 1 from {{ ref('cats') }}", owner=owner)


def heard(house: House, channel: str | None) -> list[tuple[str, str]]:
    """What stakeholders heard in a channel of Slack's: kind and headline."""
    return [
        (one.kind.value, one.message.headline)
        for batch in house.slack.batches
        for one in batch.notices
        if one.audience is Recipient.STAKEHOLDERS and one.address == channel
    ]


def test_a_models_stakeholders_hear_of_a_late_input_in_their_own_channel() -> None:
    house = of_two_owners()
    house.check()
    assert heard(house, "#cats") == [("opened", "cats is late")]
    assert heard(house, "#pets") == [("opened", "cats is late, and with it pets")]
    assert heard(house, "#analysts") == []
    assert house.check(MINUTES_5).notices == 0
    house.check(24 * HOUR)
    assert heard(house, "#pets")[1:] == [
        ("daily", "cats is still late, and with it pets")
    ]
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    assert heard(house, "#pets")[2:] == [("resolved", "cats is up to date again")]
    # where all read in one place, they have read it already
    told = [one for one in house.told(house.sns) if one[2] == "stakeholders"]
    assert [kind for name, kind, _ in told if name == "cats"] == [
        "opened", "daily", "resolved",
    ]  # fmt: skip


def test_the_end_of_one_late_input_says_nothing_of_a_model_that_has_another() -> None:
    house = of_two_owners()
    house.models = [
        house.models[0].model_copy(
            update={"sql": "select 1 from {{ ref('cats') }}, {{ ref('dogs') }}"}
        )
    ]
    house.check()
    house.age("dogs", 7 * HOUR)
    house.check(7 * HOUR)
    house.age("dogs", timedelta())
    house.check(MINUTES_5)
    assert [said for _, said in heard(house, "#pets")] == [
        "cats is late, and with it pets",
        "dogs is late, and with it pets",
        "dogs is up to date again",
    ]


def test_each_channel_hears_once_and_the_owners_own_no_copy() -> None:
    house = of_two_owners(
        ("food", "#pets"), ("names", "#cats"), ("pets", "#pets"), ("toys", None)
    )
    house.check()
    assert heard(house, "#cats") == [("opened", "cats is late")]
    assert heard(house, "#pets") == [("opened", "cats is late, and with it food, pets")]
    assert heard(house, None) == []


def test_whoever_joins_later_hears_it_as_news() -> None:
    house = of_two_owners()
    house.check()
    house.models = [*house.models, a_model("food", "#food")]
    house.check(MINUTES_5)
    assert heard(house, "#food") == [("opened", "cats is late, and with it food")]
    assert heard(house, "#pets")[1:] == [
        ("changed", "cats is still late, and with it pets")
    ]


def test_a_promised_time_and_an_end_by_hand_are_for_all_who_have_heard() -> None:
    house = of_two_owners()
    house.check()
    (incident_id,) = house.state.all
    for change in (
        Change(by="Ann", promised_for=house.now + HOUR, words="the API is down"),
        Change(by="Ann", resolve=True),
    ):
        edit(
            house.state,
            lambda: house.state.all[incident_id],
            change,
            subject=context_of(house.datasets[0]),
            routes={Recipient.STAKEHOLDERS: ("slack",)},
            now=lambda: house.now,
        )
    house.models = []
    house.check(MINUTES_5)
    kinds = [kind for kind, _ in heard(house, "#pets")]
    assert kinds == ["opened", "promised", "resolved"]
    # it is still late, and nobody who read #pets uses it any more
    assert [kind for kind, _ in heard(house, "#cats")][-1] == "reopened"


def test_what_is_opened_again_is_news_to_those_who_had_heard_its_end() -> None:
    house = of_two_owners()
    house.check()
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    house.check(5.5 * HOUR)
    assert [kind for kind, _ in heard(house, "#cats")][2:] == ["reopened"]
    assert heard(house, "#pets")[2:] == [("opened", "cats is late, and with it pets")]


def test_so_many_channels_hear_of_one_incident_and_no_more() -> None:
    house = of_two_owners(*((f"m{n}", f"#m{n}") for n in range(COPIES + 5)))
    house.check()
    house.check(24 * HOUR)
    house.age("cats", timedelta())
    house.check(MINUTES_5)
    told = [[kind for kind, _ in heard(house, f"#m{n}")] for n in range(COPIES + 5)]
    whole = ["opened", "daily", "resolved"]
    assert sorted(told) == [[]] * 5 + [whole] * COPIES
