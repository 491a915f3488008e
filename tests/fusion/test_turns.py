import pytest

from services.fusion.turns import Turns


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def turn(turns: Turns, clock: Clock, wanted: set[str], takes: float) -> list[str]:
    patients = turns.of(wanted)
    if patients:
        with turns.taken(patients):
            clock.now += takes
    return list(patients)


def test_everybody_has_a_turn_while_there_is_time_even_after_one_that_took_long() -> None:
    clock = Clock()
    turns = Turns(share=0.25, most=4, saved_s=1.0, seconds=clock)
    assert turn(turns, clock, {"b", "a"}, 0.5) == ["a", "b"]
    for _ in range(20):
        assert turn(turns, clock, {"b", "a"}, 0.02) == ["a", "b"]


def test_of_many_those_go_first_who_have_waited_longest() -> None:
    clock = Clock()
    turns = Turns(share=0.5, most=2, seconds=clock)
    wanted = {"a", "b", "c", "d", "e"}
    seen = []
    for _ in range(5):
        seen.append(turn(turns, clock, wanted, 0.1))
        clock.now += 0.2
    assert seen == [["a", "b"], ["c", "d"], ["a", "e"], ["b", "c"], ["a", "d"]]


def test_in_a_flood_turns_take_their_share_of_the_time_and_what_was_saved() -> None:
    clock = Clock()
    turns = Turns(share=0.25, most=4, saved_s=1.0, seconds=clock)
    busy = 0.0
    for _ in range(2000):
        if turn(turns, clock, {"a", "b"}, 0.03):
            busy += 0.03
        clock.now += 0.01
    whole = clock.now - 100.0
    assert 0.25 * whole <= busy <= 0.25 * whole + 1.0 + 0.03


def test_a_turn_that_fails_takes_its_time_too() -> None:
    clock = Clock()
    turns = Turns(share=0.5, most=1, saved_s=0.9, seconds=clock)

    def fail() -> None:
        with turns.taken(turns.of({"a"})):
            clock.now += 1
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert turns.of({"a"}) == ["a"]
    turns = Turns(share=0.5, most=1, saved_s=0.4, seconds=clock)
    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert turns.of({"a"}) == []
    clock.now += 1
    assert turns.of({"a", "b"}) == ["a"]
