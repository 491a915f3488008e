import pytest
from vigil.v1.notes_pb2 import EntityAttribute

from services.alerting.prescription_words import spoken

CASES = [
    ({"name": "dose", "value": "40 mg", "amount": 40, "unit": "mg"}, "40 mg"),
    ({"name": "dose", "value": "0.25 ug/kg/min", "amount": 0.25, "unit": "ug/kg/min"}, "0.25 mcg/kg/min"),
    ({"name": "dose", "value": "1-2 {tbl}", "amount": 1, "amount_high": 2, "unit": "{tbl}"}, "1-2 tablets"),
    ({"name": "dose", "value": "2 {puff}", "amount": 2, "unit": "{puff}"}, "2 puffs"),
    ({"name": "dose", "value": "1 {tbl}", "amount": 1, "unit": "{tbl}"}, "1 tablet"),
    ({"name": "dose", "value": "5000 [iU]", "amount": 5000, "unit": "[iU]"}, "5000 units"),
    ({"name": "dose", "value": "20", "amount": 20}, "20"),
    ({"name": "route", "value": "intravenous"}, "intravenous"),
    ({"name": "frequency", "value": "1/d", "times_per_day": 1, "times_per_day_high": 1}, "once a day"),
    ({"name": "frequency", "value": "2/d", "times_per_day": 2, "times_per_day_high": 2}, "twice a day"),
    (
        {"name": "frequency", "value": "4-6/d", "times_per_day": 4, "times_per_day_high": 6, "as_needed": True},
        "4 to 6 times a day as needed",
    ),
    ({"name": "frequency", "value": "0.5/d", "times_per_day": 0.5, "times_per_day_high": 0.5}, "every other day"),
    ({"name": "frequency", "value": "", "times_per_day": 0.1429, "times_per_day_high": 0.1429}, "once a week"),
    ({"name": "frequency", "value": "", "times_per_day": 0.4286, "times_per_day_high": 0.4286}, "3 times a week"),
    ({"name": "frequency", "value": "", "times_per_day": 0.0714, "times_per_day_high": 0.0714}, "every 14 days"),
    ({"name": "frequency", "value": "as needed", "as_needed": True}, "as needed"),
    ({"name": "frequency", "value": "once"}, "once"),
    ({"name": "duration", "value": "7 d", "amount": 7, "unit": "d"}, "7 days"),
    ({"name": "duration", "value": "1 wk", "amount": 1, "unit": "wk"}, "1 week"),
    ({"name": "laterality", "value": "left"}, "left"),
]


@pytest.mark.parametrize(("fields", "words"), CASES)
def test_a_normalised_value_is_said_as_a_clinician_writes_it(fields: dict[str, object], words: str) -> None:
    assert spoken(EntityAttribute(**fields)) == words  # type: ignore[arg-type]
