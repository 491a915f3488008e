"""Pneumothorax after a central line: sudden fall of saturation, named by the radiologist, better after a drain."""

from ward.course import Course, Labs, Move, Note, Picture, Place, Truth

WARD = Place("AMU", "5", "05")
COURSE = Course(
    title="pneumothorax after a central line",
    age=53,
    sex="M",
    fhir=True,
    moves=(Move(0.2, "A01", WARD),),
    vitals={
        "heart_rate": ((0, 84), (10.8, 86), (11.5, 112), (12.6, 128), (13.4, 124), (14.2, 98), (18, 86), (24, 82)),
        "resp_rate": ((0, 16), (10.8, 16), (11.5, 24), (12.6, 32), (13.4, 30), (14.2, 20), (18, 17), (24, 16)),
        "spo2": ((0, 97), (10.8, 97), (11.5, 91), (12.6, 86), (13.4, 88), (14.2, 97), (24, 98)),
        "sbp": ((0, 126), (10.8, 126), (11.5, 118), (12.6, 108), (13.4, 107), (14.2, 120), (18, 124), (24, 124)),
        "dbp": ((0, 74), (10.8, 74), (12.6, 58), (14.2, 70), (24, 74)),
        "temperature": ((0, 37.1), (24, 37.2)),
        "gcs": ((0, 15),),
        "fio2": ((0, 21), (11.6, 60), (14.4, 28), (18, 21)),
    },
    labs=(
        Labs(
            1.1, {"wbc": 9.4, "haemoglobin": 11.8, "platelets": 260, "creatinine": 0.9, "sodium": 138, "potassium": 3.9}
        ),
        Labs(12.9, {"lactate": 1.8, "haemoglobin": 11.6, "wbc": 10.1}),
        Labs(19.2, {"lactate": 1.0, "haemoglobin": 11.4, "creatinine": 0.9}),
    ),
    pictures=(
        Picture(
            hour=12.2,
            source="chest_pneumothorax.jpg",
            modality="DX",
            body_part="CHEST",
            description="XR chest portable",
            view="PA",
            report="""\
EXAM: Portable chest radiograph.
INDICATION: Sudden dyspnoea one hour after right subclavian central venous catheter.
FINDINGS: Large right pneumothorax with collapse of the right lung. Right subclavian central venous catheter, tip
in the superior vena cava. Slight shift of the mediastinum to the left. No pleural effusion on the left.
No free air below the diaphragm.
IMPRESSION:
1. Large right pneumothorax.
2. Findings were telephoned to the ward at the time of reading.""",
        ),
        Picture(
            hour=17.5,
            source="chest_clear_c.jpg",
            modality="DX",
            body_part="CHEST",
            description="XR chest portable",
            view="AP",
            report="""\
EXAM: Portable chest radiograph after drain.
FINDINGS: The right lung has re-expanded. No residual pneumothorax. No consolidation. Heart size normal.
IMPRESSION: No pneumothorax after chest drain.""",
        ),
    ),
    notes=(
        Note(
            0.8,
            "nursing",
            """\
Back from theatre after elective right hemicolectomy yesterday. Abdomen soft, dressing dry. Pain 3/10 on
epidural. Nil by mouth. Bowel sounds absent, no vomiting. Calf compression on. No allergies.""",
        ),
        Note(
            5.0,
            "progress",
            """\
Day 1 after right hemicolectomy for a polyp that could not be removed by endoscope. Comfortable. Chest clear.
No fever. Poor peripheral veins, needs parenteral nutrition. Plan: central venous catheter this morning.
Family history of colon cancer in a brother.""",
        ),
        Note(
            10.9,
            "procedure",
            """\
PROCEDURE: Right subclavian central venous catheter, triple lumen.
INDICATION: Parenteral nutrition. Consent obtained. Asepsis. Two passes. All lumens aspirate and flush.
COMPLICATIONS: None seen at once. Chest radiograph ordered to confirm position and exclude pneumothorax.""",
        ),
        Note(
            11.9,
            "nursing",
            """\
Called by the patient: sudden sharp pain on the right side of the chest and short of breath. Speaking in short
sentences, using accessory muscles. Saturations fell to 88 %, face mask oxygen started. Less air entry on the
right. Doctor called at once, urgent chest film.""",
        ),
        Note(
            13.9,
            "procedure",
            """\
PROCEDURE: Right intercostal chest drain, 5th space, mid-axillary line.
INDICATION: Iatrogenic pneumothorax after subclavian line with falling saturation and pressure.
Needle decompression first with a rush of air. 24 Fr drain, bubbling and swinging. Breathing easier within minutes.
COMPLICATIONS: None. No bleeding.""",
        ),
        Note(
            20.0,
            "nursing",
            """\
Drain swinging, no longer bubbling. No surgical emphysema. On room air, comfortable, denies chest pain.
Walked to the chair with help. Epidural working well.""",
        ),
    ),
    truth=Truth(
        must={
            "critical_finding:pneumothorax": "pneumothorax in the radiologist's report",
            "news2_high": "NEWS2 of 7 or more while the lung is down",
        },
        may=(r"news2_single_red", r"syndrome:(tension_pneumothorax|respiratory_failure)"),
    ),
)
