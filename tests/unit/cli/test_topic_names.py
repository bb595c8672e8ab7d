import pytest

from shared.cli.reaching import CannotError
from shared.cli.topic_names import short_name, topics_named
from shared.topics import TOPICS


@pytest.mark.parametrize("name", ["booking.events", "booking.events.v1", "telemed.booking.events.v1", "telemed.booking.events"])
def test_a_topic_goes_by_its_name_with_or_without_prefix_and_version(name: str) -> None:
    assert topics_named([name], "telemed") == ["telemed.booking.events.v1"]


@pytest.mark.parametrize("name", ["booking.commands.dlq", "booking.commands.v1.dlq", "telemed.booking.commands.v1.dlq"])
def test_so_does_a_topic_of_dead_letters(name: str) -> None:
    assert topics_named([name], "telemed") == ["telemed.booking.commands.v1.dlq"]


def test_a_service_stands_for_what_goes_in_and_what_comes_out() -> None:
    assert topics_named(["booking"], "x") == ["x.booking.commands.v1", "x.booking.events.v1"]


def test_dlq_stands_for_all_dead_letters_and_all_for_everything() -> None:
    everything = topics_named(["all"], "x")
    assert everything == [f"x.{topic.name}" for topic in TOPICS]
    assert topics_named(["dlq"], "x") == [name for name in everything if name.endswith(".dlq")]


def test_what_is_named_twice_is_meant_once() -> None:
    assert topics_named(["booking", "booking.events", "x.booking.events.v1"], "x") == ["x.booking.commands.v1", "x.booking.events.v1"]


def test_an_unknown_topic_is_answered_with_the_close_ones_and_the_list() -> None:
    with pytest.raises(CannotError) as refused:
        topics_named(["boking.event"], "telemed")
    assert str(refused.value).startswith("There is no topic boking.event. Did you mean booking.events")
    assert "notify.commands" in str(refused.value)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_has_a_short_name_that_leads_to_it(topic: object) -> None:
    name = topic.full_name("any-prefix")  # type: ignore[attr-defined]
    assert topics_named([short_name(name, "any-prefix")], "any-prefix") == [name]
