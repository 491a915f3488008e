import pytest
from aiokafka.partitioner import DefaultPartitioner

from services.alerting.commands import Action, Malformed, parse_action, partition_of


def test_an_action_needs_only_a_reason() -> None:
    assert parse_action({"reason": " seen_at_bedside "}) == Action("seen_at_bedside")
    assert parse_action({"reason": "other", "by": "RN", "comment": "with Dr B"}) == Action("other", "RN", "with Dr B")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "must be a JSON object"),
        ("seen", "must be a JSON object"),
        ({}, '"reason" is missing'),
        ({"reason": "  "}, '"reason" is missing'),
        ({"reason": 7}, '"reason" must be text'),
        ({"reason": "x" * 201}, "longer than 200"),
        ({"reason": "x", "patient": "y"}, 'unknown field "patient"'),
    ],
)
def test_what_is_no_action_is_refused_with_a_sentence(body: object, sentence: str) -> None:
    with pytest.raises(Malformed, match=sentence):
        parse_action(body)


def test_a_command_goes_to_the_partition_that_its_patient_has() -> None:
    for number in range(50):
        key = f"{number:032x}"
        assert partition_of(key) == DefaultPartitioner()(key.encode(), list(range(4)), list(range(4)))
