from services.common.bus import DEAD_LETTERS_IN_A_ROW, DeadLetterLimit


def limit_after(keys: list[bytes]) -> DeadLetterLimit:
    limit = DeadLetterLimit()
    for key in keys:
        limit.count(key, failed=True)
    return limit


def test_failures_of_many_patients_stop_the_consumer() -> None:
    keys = [f"patient-{number % 12}".encode() for number in range(DEAD_LETTERS_IN_A_ROW)]
    assert not limit_after(keys[:-1]).reached
    assert limit_after(keys).reached


def test_failures_of_one_patient_do_not_stop_the_others() -> None:
    assert not limit_after([b"patient"] * 10 * DEAD_LETTERS_IN_A_ROW).reached


def test_a_handled_message_begins_the_count_anew() -> None:
    keys = [f"patient-{number}".encode() for number in range(DEAD_LETTERS_IN_A_ROW)]
    limit = limit_after(keys[:-1])
    limit.count(b"patient", failed=False)
    limit.count(keys[-1], failed=True)
    assert not limit.reached
