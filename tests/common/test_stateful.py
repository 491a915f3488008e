"""States and the watch over progress. What needs Kafka is in tests/integration/test_fusion.py."""

import pytest
from aiokafka import TopicPartition
from vigil.v1.risk_pb2 import PatientState

from services.common.bus import Producer
from services.common.health import Health
from services.common.settings import SharedSettings
from services.common.stateful import Stateful, StatefulService, States
from services.common.stateful_watch import Movement, Standing
from services.common.topics import Topic

ONE, TWO = TopicPartition("notes-coded", 0), TopicPartition("notes-coded", 1)


def patient(revision: int) -> PatientState:
    return PatientState(patient_key="p", revision=revision)


def states(**stored: int) -> States[PatientState]:
    return States(PatientState, {key.encode(): patient(n).SerializeToString() for key, n in stored.items()})


def revision(of: States[PatientState], key: str) -> int | None:
    found = of.get(key)
    return None if found is None else found.revision


def test_a_state_is_read_from_what_is_stored() -> None:
    kept = states(a=3, b=1)
    assert (revision(kept, "a"), revision(kept, "c")) == (3, None)
    assert (list(kept), len(kept)) == (["a", "b"], 2)


def test_a_write_shows_at_once_to_the_message_and_to_those_after_it() -> None:
    kept = states(a=1)
    kept.put("a", patient(2))
    assert revision(kept, "a") == 2
    kept.keep_message()
    assert revision(kept, "a") == 2


def test_what_an_invalid_message_wrote_is_dropped_and_what_came_before_it_stays() -> None:
    kept = states(a=1)
    kept.put("a", patient(2))
    kept.keep_message()
    kept.put("a", patient(3))
    kept.put("b", patient(9))
    kept.drop_message()
    assert (revision(kept, "a"), revision(kept, "b")) == (2, None)


def test_a_batch_hands_out_the_last_state_of_each_key_once() -> None:
    kept = states(a=1)
    for number in (2, 3):
        kept.put("a", patient(number))
        kept.keep_message()
    assert {key: state.revision for key, state in kept.take_batch().items()} == {"a": 3}
    assert kept.take_batch() == {}
    assert revision(kept, "a") == 3


def test_after_recovery_the_stored_states_count() -> None:
    stored = {b"a": patient(1).SerializeToString()}
    kept = States(PatientState, stored)
    assert revision(kept, "a") == 1
    stored[b"a"] = patient(5).SerializeToString()
    kept.forget_decoded()
    assert revision(kept, "a") == 5


def test_a_partition_that_waits_without_a_commit_is_stuck() -> None:
    movement = Movement()
    standings = {ONE: Standing(committed=5, end=9), TWO: Standing(committed=7, end=7)}
    assert [movement.look(standings, now) for now in (0.0, 2.0, 32.0, 62.0)] == [0, 0, 30, 60]


def test_a_commit_or_an_empty_partition_ends_being_stuck() -> None:
    movement = Movement()
    waiting = {ONE: Standing(5, 9)}
    movement.look(waiting, 0)
    movement.look(waiting, 10)
    assert movement.look(waiting, 40) == 30
    assert movement.look({ONE: Standing(6, 9)}, 41) == 0
    movement.look({ONE: Standing(6, 9)}, 50)
    assert movement.look({ONE: Standing(9, 9)}, 90) == 0


def test_a_partition_that_another_member_took_over_is_not_stuck_here() -> None:
    movement = Movement()
    for now in (0, 10, 50):
        movement.look({ONE: Standing(5, 9)}, now)
    assert movement.look({TWO: Standing(0, 0)}, 60) == 0


def test_an_idle_partition_is_not_stuck() -> None:
    movement = Movement()
    assert [movement.look({ONE: Standing(9, 9)}, now) for now in (0, 1000, 9000)] == [0, 0, 0]


def test_inputs_with_different_numbers_of_partitions_are_refused() -> None:
    async def handler(*_: object) -> list[object]:
        return []

    spec = Stateful("fusion", [Topic.NOTES_CODED, Topic.FUSION_DLQ], "patients", PatientState, handler)  # type: ignore[arg-type]
    shared = SharedSettings()
    with pytest.raises(ValueError, match="partitions"):
        StatefulService(spec, shared, Producer(shared, "test"), Health())
