from datetime import timedelta

import pytest
import typer

from shared.cli.inputs import closest, identifier_argument, length, length_option, shortened


@pytest.mark.parametrize(
    "text, seconds",
    [("0s", 0), ("250ms", 0.25), ("90s", 90), ("15m", 900), ("15min", 900), ("2h", 7200), ("1.5d", 129_600), ("999999d", 86_399_913_600)],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert length(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5x", "1e3s", "5s ", "1000000d", "٣s", "5s\n", ".5s", "inf s"])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90s"):
        length(text)
    with pytest.raises(typer.BadParameter):
        length_option(text)


@pytest.mark.parametrize("text", ["a", "apt_1.2:3-4", "x" * 128])
def test_an_id_passes_as_it_is(text: str) -> None:
    assert identifier_argument(text) == text


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a/b", "ä", "a\n", "a;DROP"])
def test_what_is_no_id_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="1 to 128 characters"):
        identifier_argument(text)


def test_what_somebody_typed_is_shown_in_bounds_and_does_nothing_to_the_terminal() -> None:
    assert shortened("x" * 80) == "x" * 80
    assert shortened("x" * 81) == "x" * 80 + "…"
    assert "\x1b" not in shortened("\x1b[31mred")


def test_close_names_are_asked_about() -> None:
    assert closest("appointments-expir", ["appointments-expire", "calls-time-out"]) == " Did you mean appointments-expire?"
    assert not closest("zzz", ["appointments-expire"])
