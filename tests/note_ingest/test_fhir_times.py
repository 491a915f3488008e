from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.note_ingest.fhir.requests import read_single
from services.note_ingest.intake import Intake, take_in
from tests.note_ingest.fhir_samples import AT, FUTURE, NOW, SUBJECT, observation


@pytest.mark.parametrize(
    ("status", "more", "dated"),
    [
        ("in-progress", {"meta": {"lastUpdated": "2026-11-23T11:30:00Z"}}, datetime(2026, 11, 23, 11, 30, tzinfo=UTC)),
        ("finished", {"meta": {"lastUpdated": "2026-11-23T11:40:00Z"}}, datetime(2026, 11, 23, 11, 40, tzinfo=UTC)),
        ("finished", {}, NOW),
        ("cancelled", {}, NOW),
        (
            "finished",
            {"period": {"start": AT, "end": "2026-11-23T11:35:00Z"}, "meta": {"lastUpdated": "2026-11-23T11:50:00Z"}},
            datetime(2026, 11, 23, 11, 35, tzinfo=UTC),
        ),
    ],
)
def test_the_end_of_a_stay_is_never_dated_by_its_beginning(status: str, more: dict[str, Any], dated: datetime) -> None:
    encounter = {
        "resourceType": "Encounter",
        "status": status,
        "class": {"code": "IMP"},
        "subject": SUBJECT,
        "period": {"start": AT},
    }
    assert [draft.event_time for draft in read_single(encounter | more, NOW, FUTURE).parsed().drafts] == [dated]


def observation_ids(resource: dict[str, Any], arrived: datetime, intake: Intake) -> Any:
    publishes = take_in(read_single(resource, arrived, FUTURE).parsed(), intake)
    return [one.observation_id for publish in publishes for one in publish.message.observations]  # type: ignore[attr-defined]


def test_a_value_without_a_time_or_number_stays_one_value_when_it_is_sent_again(intake: Intake) -> None:
    def untimed(value: float) -> dict[str, Any]:
        return {k: v for k, v in observation(value=value).items() if k != "effectiveDateTime"}

    first, again = (observation_ids(untimed(88), NOW + timedelta(seconds=s), intake) for s in (0, 5))
    assert first == again
    assert observation_ids(untimed(90), NOW, intake) != first


def test_the_same_value_at_another_time_is_another_value(intake: Intake) -> None:
    earlier = observation_ids(observation(), NOW, intake)
    assert observation_ids(observation(effectiveDateTime="2026-11-23T10:00:00Z"), NOW, intake) != earlier
