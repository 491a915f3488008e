import pytest

from bench.risk import MINUTES, Figures, made_up, table


def test_the_table_says_what_is_beside_triton_and_how_many_times_the_floor() -> None:
    said = table(Figures([0.012] * 3, [0.004] * 3, 100, 6.0, 1.5, 0.3, 2))
    assert "beside Triton's own time                             8.0      8.0" in said
    assert "100 stays at 3 times each, 8 at a time: 6.0 s, 50 scores a second." in said
    assert "The median of one score is 3.0 times the floor." in said
    assert "fusion 5.0 ms, Triton 1.0 ms." in said
    assert "Without a model: 2 estimates." in said


def test_made_up_stays_are_the_same_again_and_last_two_days() -> None:
    one, again = made_up(3), made_up(3)
    assert one == again
    assert len(one.observations) == pytest.approx(400, abs=60)
    assert max(observation.minute for observation in one.observations) <= MINUTES[-1]
