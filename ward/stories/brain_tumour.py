"""Brain tumour with rising intracranial pressure: headache, a mass on MRI, then a falling coma score."""

from ward.course import Course, Labs, Move, Note, Picture, Place, Truth

WARD = Place("AMU", "8", "08")
COURSE = Course(
    title="brain tumour with falling GCS",
    age=47,
    sex="M",
    moves=(
        Move(0.4, "A01", Place("ED", "R", "R4")),
        Move(1.6, "A02", WARD),
        Move(18.6, "A02", Place("ICU", "2", "I4")),
    ),
    vitals={
        "heart_rate": ((0, 78), (10, 72), (14, 60), (18, 50), (21, 54), (24, 62)),
        "resp_rate": ((0, 15), (14, 15), (18, 14), (24, 15)),
        "spo2": ((0, 98), (18, 97), (24, 98)),
        "sbp": ((0, 134), (10, 142), (14, 162), (18, 186), (21, 172), (24, 150)),
        "dbp": ((0, 78), (14, 84), (18, 92), (24, 82)),
        "temperature": ((0, 36.8), (24, 36.9)),
        "gcs": ((0, 15), (13, 14), (15.5, 12), (17.5, 9), (21.5, 11), (23, 13)),
        "fio2": ((0, 21), (18, 35), (23, 28)),
    },
    labs=(
        Labs(
            1.0, {"wbc": 8.2, "haemoglobin": 14.4, "platelets": 244, "creatinine": 0.9, "sodium": 139, "glucose": 104}
        ),
        Labs(16.2, {"sodium": 134, "glucose": 168, "potassium": 3.8, "creatinine": 0.9}),
    ),
    pictures=(
        Picture(
            hour=3.2,
            source="brain_glioma.jpg",
            modality="MR",
            body_part="BRAIN",
            description="MR brain T1 axial with contrast",
            report="""\
EXAM: MRI of the brain with and without contrast.
INDICATION: Headache for six weeks, new word-finding difficulty.
FINDINGS: Ring-enhancing intra-axial mass in the left temporo-parietal region, 4.6 x 3.9 cm, with central necrosis and
surrounding vasogenic oedema. Effacement of the left lateral ventricle. Midline shift of 5 mm to the right.
No acute infarct. No haemorrhage.
IMPRESSION: Left temporo-parietal mass with oedema and midline shift, most likely high-grade glioma.""",
        ),
        Picture(
            hour=18.1,
            source="pydicom:CT_small.dcm",
            modality="CT",
            body_part="HEAD",
            description="CT head without contrast",
            report="""\
EXAM: CT of the head without contrast.
INDICATION: Known left temporo-parietal tumour, falling coma score.
FINDINGS: Midline shift has grown to 11 mm. The left lateral ventricle is compressed. No haemorrhage.
IMPRESSION: Increasing midline shift. Early uncal herniation. Discussed with neurosurgery.""",
        ),
    ),
    notes=(
        Note(
            0.9,
            "emergency",
            """\
HISTORY OF PRESENT ILLNESS: 47-year-old man, six weeks of morning headache with vomiting, two weeks of trouble
finding words. No seizure. No fever. No head injury.
PAST MEDICAL HISTORY: Migraine in his twenties. No malignancy known.
FAMILY HISTORY: Grandmother had a stroke. No family history of brain tumour.
EXAM: GCS 15. Mild expressive aphasia. Right arm drift. No neck stiffness. Papilloedema on both sides.
PLAN: MRI brain today, dexamethasone after imaging. Subarachnoid haemorrhage considered and felt unlikely.""",
        ),
        Note(
            6.1,
            "consult",
            """\
NEUROSURGERY
MRI reviewed: left temporo-parietal mass with ring enhancement, likely glioblastoma. Dexamethasone 8 mg twice a day,
levetiracetam 500 mg twice a day although no seizures so far. Awake craniotomy to be planned with the tumour board.
Hourly neurological observations. Call us if the coma score falls by 2.""",
        ),
        Note(
            13.2,
            "nursing",
            """\
More sleepy than this morning, GCS 14 (E3 V5 M6). Complains of worse headache, vomited once. Pupils equal and
reactive. No seizure activity seen. Registrar informed.""",
        ),
        Note(
            15.8,
            "progress",
            """\
Drowsy, GCS 12, right-sided weakness now 3/5. Blood pressure climbing and pulse slowing, Cushing response
suspected. Raised intracranial pressure from brain tumour oedema. No signs of meningitis.
PLAN: Mannitol 0.5 g/kg, head up, urgent CT, neurosurgery on the way.""",
        ),
        Note(
            18.0,
            "nursing",
            """\
GCS 9 (E2 V2 M5). Left pupil 5 mm, sluggish. Pulse 50, systolic 186. Anaesthetist at the bedside. Second dose of
mannitol running. No seizure seen. Wife informed by the team.""",
        ),
        Note(
            22.6,
            "progress",
            """\
After external ventricular drain: intracranial pressure 14 mmHg. GCS 13, left pupil reactive again. No new
deficit. Sedation off. Brain tumour resection planned for tomorrow.""",
        ),
    ),
    truth=Truth(
        must={"news2_single_red": "consciousness below alert scores 3"},
        may=(r"news2_high", r"syndrome:raised_intracranial_pressure", r"critical_finding:brain_\w+"),
    ),
)
