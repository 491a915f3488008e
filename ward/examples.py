"""Write examples/: one message of each protocol, from a fixed ward. Run by `make examples`; a test keeps them equal."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from services.common.settings import REPOSITORY
from ward.course import Course, value_at
from ward.events import Event, Kind, Protocol
from ward.generate import Plan, Ward, generate

FOLDER = REPOSITORY / "examples"
PLAN = Plan(seed=7, start=datetime(2026, 1, 5, tzinfo=UTC), run="EXAMPLE")
STORY = "septic shock from pneumonia"


def examples() -> Mapping[str, bytes]:
    """File names and contents: one patient with pneumonia by MLLP and DICOM, another's vital signs by FHIR."""
    ward = generate(PLAN)
    told = {kind: [event for event in ward.events if event.kind is kind and _is_story(ward, event)] for kind in Kind}
    worst = told[Kind.OBSERVATIONS][
        len(told[Kind.OBSERVATIONS]) * 7 // 10
    ]  # in the afternoon the shock is at its height
    note = max(told[Kind.NOTE], key=lambda event: len(event.text))
    return {
        "admission.hl7": told[Kind.ENCOUNTER][0].payload,
        "vital-signs.hl7": worst.payload,
        "note.hl7": note.payload,
        "note.txt": note.text.encode(),
        "chest.dcm": told[Kind.IMAGE][0].payload,
        "stay.jsonl": _stay(next(one.course for one in ward.patients if one.course.title == STORY)),
        "vital-signs.json": next(event for event in ward.events if event.protocol is Protocol.FHIR).payload,
    }


def _stay(course: Course) -> bytes:
    """The day of a course as `vigil risk` takes it: vital signs every half hour, judged every two hours."""
    half_hours = [number / 2 for number in range(49)]
    observations: list[tuple[int, str, float]] = [
        (round(hour * 60), name, round(value_at(name, curve, hour), 1))
        for hour in half_hours
        for name, curve in course.vitals.items()
    ]
    observations += [
        (round(labs.hour * 60), name, value) for labs in course.labs for name, value in labs.values.items()
    ]
    stay = {
        "id": "septic shock",
        "age": course.age,
        "sex": course.sex,
        "observations": sorted(observations),
        "at": [hour * 60 for hour in range(2, 25, 2)],
    }
    return json.dumps(stay).encode() + b"\n"


def _is_story(ward: Ward, event: Event) -> bool:
    return ward.patient(event.patient).course.title == STORY


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in examples().items():
        (FOLDER / name).write_bytes(content)
