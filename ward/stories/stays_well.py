"""One patient who stays well: every text denies, every value is normal, and nothing may be raised."""

from ward.course import Course, Labs, Move, Note, Picture, Place, Truth

WARD = Place("AMU", "6", "06")
COURSE = Course(
    title="stays well",
    age=57,
    sex="F",
    fhir=True,
    moves=(Move(0.5, "A01", WARD),),
    calm=0.7,
    vitals={
        "heart_rate": ((0, 72), (12, 68), (24, 70)),
        "resp_rate": ((0, 15), (24, 14)),
        "spo2": ((0, 98), (24, 98)),
        "sbp": ((0, 126), (24, 124)),
        "dbp": ((0, 76), (24, 75)),
        "temperature": ((0, 36.8), (24, 36.7)),
        "gcs": ((0, 15),),
        "fio2": ((0, 21),),
    },
    labs=(Labs(1.5, {"wbc": 6.4, "haemoglobin": 13.6, "platelets": 251, "creatinine": 0.8, "sodium": 140, "crp": 2}),),
    pictures=(
        Picture(
            hour=2.6,
            source="chest_clear_b.jpg",
            modality="DX",
            body_part="CHEST",
            description="XR chest PA",
            view="PA",
            report="""\
EXAM: Chest radiograph, PA view.
INDICATION: Before surgery.
FINDINGS: The lungs are clear. No consolidation, effusion or pneumothorax. The heart is not enlarged.
IMPRESSION: No acute cardiopulmonary abnormality.""",
        ),
    ),
    notes=(
        Note(
            0.9,
            "progress",
            """\
57-year-old woman admitted the day before a planned knee replacement. Osteoarthritis of the right knee.
No fever, no cough, no chest pain, no shortness of breath. No history of sepsis or stroke.
FAMILY HISTORY: Mother died of pneumonia at 84. Brother with pulmonary embolism after surgery.
ASSESSMENT: Fit for anaesthesia. No evidence of infection.""",
        ),
        Note(
            7.0,
            "nursing",
            """\
Settled in. Skin intact. No signs of infection at the site of surgery. Denies pain at rest. Walks with a stick.
Fasting from midnight explained. No allergies known.""",
        ),
        Note(
            15.0,
            "nursing",
            """\
Slept well. Observations normal. No complaints. No nausea. Premedication not needed. Consent in the notes.""",
        ),
        Note(
            22.0,
            "progress",
            """\
Well. Chest clear, abdomen soft. If she develops fever after surgery, take cultures. No active problems today.""",
        ),
    ),
    truth=Truth(),
)
