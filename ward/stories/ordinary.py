"""The other beds: ordinary patients. Their values stay below every threshold by construction; no alert is right."""

from collections.abc import Mapping

from ward.course import Course, Curve, Labs, Move, Note, Picture, Place, Truth


def steady(
    *, pulse: float, breaths: float, spo2: float, pressure: tuple[float, float], temperature: float, fio2: float = 21
) -> Mapping[str, Curve]:
    """Vital signs that keep one level all day, consciousness alert."""
    return {
        "heart_rate": ((0, pulse),),
        "resp_rate": ((0, breaths),),
        "spo2": ((0, spo2),),
        "sbp": ((0, pressure[0]),),
        "dbp": ((0, pressure[1]),),
        "temperature": ((0, temperature),),
        "gcs": ((0, 15),),
        "fio2": ((0, fio2),),
    }


HIP = Course(
    title="day 2 after hip replacement",
    age=76,
    sex="F",
    moves=(Move(0.1, "A01", Place("AMU", "1", "01")),),
    vitals=steady(pulse=78, breaths=16, spo2=97, pressure=(132, 74), temperature=37.0),
    labs=(
        Labs(1.3, {"wbc": 9.1, "haemoglobin": 9.8, "platelets": 198, "creatinine": 0.9}),
        Labs(13.1, {"haemoglobin": 9.7, "sodium": 137, "potassium": 4.1}),
    ),
    notes=(
        Note(
            2.0,
            "nursing",
            """\
Day 2 after left total hip replacement. Dressing dry, no ooze. Toes warm, moves both feet. Pain 2/10 at rest,
5/10 when moving. Walked ten metres with frame and physiotherapist. No calf tenderness.""",
        ),
        Note(
            9.5,
            "progress",
            """\
Recovering after hip replacement for osteoarthritis. Postoperative anaemia, haemoglobin 9.8, no symptoms, no
transfusion. Deep vein thrombosis prophylaxis with enoxaparin. No signs of wound infection. Hypertension, on
amlodipine.""",
        ),
        Note(19.0, "nursing", "Settled night. Slept in intervals. Bladder scan 60 mL. Heels intact. No new concerns."),
    ),
    truth=Truth(),
)

CELLULITIS = Course(
    title="cellulitis, stable",
    age=44,
    sex="M",
    moves=(Move(0.3, "A01", Place("AMU", "4", "04")),),
    vitals=steady(pulse=82, breaths=16, spo2=97, pressure=(128, 78), temperature=37.6),
    labs=(
        Labs(1.0, {"wbc": 13.4, "crp": 96, "creatinine": 1.0, "lactate": 1.1, "glucose": 142}),
        Labs(17.5, {"wbc": 11.0, "crp": 71}),
    ),
    notes=(
        Note(
            1.4,
            "emergency",
            """\
44-year-old man with two days of redness and swelling of the left lower leg after an insect bite. No rigors.
EXAM: Warm, tender erythema to below the knee, margin marked. No crepitus, no blistering. Pulses present.
ASSESSMENT: Cellulitis of left lower limb. No evidence of deep vein thrombosis, no necrotising fasciitis.
PLAN: Flucloxacillin intravenously.""",
        ),
        Note(
            10.0,
            "nursing",
            """\
Leg raised on pillows. Redness inside the marked line. Pain 3/10. Antibiotic dose given, no reaction. No fever.""",
        ),
        Note(
            20.5,
            "progress",
            """\
Cellulitis settling, margin back by 2 cm. Tinea pedis between the toes treated. Change to tablets tomorrow.""",
        ),
    ),
    truth=Truth(),
)

HEART_FAILURE = Course(
    title="heart failure with atrial fibrillation",
    age=79,
    sex="F",
    moves=(Move(0.2, "A01", Place("AMU", "7", "07")),),
    vitals=steady(pulse=84, breaths=17, spo2=97, pressure=(130, 72), temperature=36.7, fio2=24),
    labs=(
        Labs(1.6, {"haemoglobin": 12.2, "creatinine": 1.4, "sodium": 136, "potassium": 4.4}),
        Labs(13.5, {"creatinine": 1.3, "sodium": 137, "potassium": 3.9}),
    ),
    notes=(
        Note(
            1.0,
            "progress",
            """\
79-year-old woman, chronic systolic heart failure and permanent atrial fibrillation. Ankle oedema and orthopnoea
for a week after running out of furosemide. No chest pain, no syncope. No infection found.
PLAN: Furosemide 40 mg intravenously twice a day, daily weight, continue apixaban and bisoprolol.""",
        ),
        Note(
            8.2,
            "nursing",
            """\
Passed 1.4 L of urine. Weight down 0.9 kg. Oxygen 1 L by cannula. Sleeps on two pillows. Denies palpitations.""",
        ),
        Note(
            17.0,
            "nursing",
            "Comfortable. Ankles less swollen. Pulse irregular as before. No falls. Skin over sacrum intact.",
        ),
    ),
    truth=Truth(),
)

DIABETES = Course(
    title="diabetes after ketoacidosis",
    age=29,
    sex="F",
    fhir=True,
    moves=(Move(0.4, "A01", Place("AMU", "9", "09")),),
    vitals=steady(pulse=80, breaths=16, spo2=98, pressure=(122, 74), temperature=36.8),
    labs=(
        Labs(1.2, {"glucose": 212, "potassium": 4.0, "sodium": 135, "creatinine": 0.8}),
        Labs(7.2, {"glucose": 178, "potassium": 4.2}),
        Labs(15.2, {"glucose": 156, "potassium": 4.1, "sodium": 138}),
    ),
    notes=(
        Note(
            1.8,
            "progress",
            """\
29-year-old woman with type 1 diabetes mellitus, ketoacidosis resolved yesterday, back on her own basal-bolus
insulin. Missed doses during a stomach upset. No vomiting now. No ketones in the blood this morning.
FAMILY HISTORY: Aunt with hypothyroidism.""",
        ),
        Note(
            11.0,
            "nursing",
            """\
Seen by diabetes nurse, sick-day rules repeated. Eats full meals. No hypoglycaemia. Injects herself correctly.""",
        ),
    ),
    truth=Truth(),
)

URINARY = Course(
    title="urinary infection, stable",
    age=83,
    sex="F",
    moves=(Move(0.6, "A01", Place("AMU", "10", "10")),),
    vitals=steady(pulse=76, breaths=17, spo2=97, pressure=(136, 70), temperature=37.4),
    labs=(
        Labs(1.9, {"wbc": 12.6, "crp": 54, "creatinine": 1.1, "lactate": 1.0}),
        Labs(18.0, {"wbc": 10.4, "crp": 40, "creatinine": 1.0}),
    ),
    notes=(
        Note(
            1.2,
            "emergency",
            """\
83-year-old woman from home with dysuria and frequency for three days. No flank pain, no vomiting.
PAST MEDICAL HISTORY: Osteoporosis, hypothyroidism. History of hip fracture in 2019.
FAMILY HISTORY: Sister died of septic shock. Daughter with multiple sclerosis.
ASSESSMENT: Lower urinary tract infection. No sepsis. PLAN: Nitrofurantoin, urine culture, fluids by mouth.""",
        ),
        Note(
            9.0,
            "nursing",
            """\
Orientated, cheerful. Drinks well. Up to the toilet with one person. No confusion. Pad dry. Falls mat in place.""",
        ),
        Note(20.0, "nursing", "Slept. No dysuria now. Antibiotic tablet taken. Observations stable. Daughter visited."),
    ),
    truth=Truth(),
)

ASTHMA = Course(
    title="asthma, better",
    age=34,
    sex="M",
    fhir=True,
    moves=(Move(0.3, "A01", Place("AMU", "11", "11")),),
    vitals=steady(pulse=82, breaths=17, spo2=97, pressure=(124, 76), temperature=36.7),
    labs=(Labs(1.4, {"wbc": 8.8, "potassium": 3.8, "creatinine": 0.9}),),
    pictures=(
        Picture(
            hour=2.2,
            source="chest_clear_a.jpg",
            modality="DX",
            body_part="CHEST",
            description="XR chest PA",
            view="PA",
            report="""\
EXAM: Chest radiograph, PA view.
INDICATION: Asthma attack.
FINDINGS: Clear lungs. No pneumothorax, no pneumomediastinum, no consolidation, no effusion.
IMPRESSION: Normal chest radiograph.""",
        ),
    ),
    notes=(
        Note(
            0.8,
            "emergency",
            """\
34-year-old man with known asthma and hay fever, wheeze since last night after cleaning an attic. Peak flow
64 % of best, 85 % after nebulisers. No fever. Never in intensive care. Does not smoke.
ASSESSMENT: Moderate asthma exacerbation, responding. No pneumonia clinically.""",
        ),
        Note(
            10.5,
            "nursing",
            "Peak flow 460. Quiet wheeze only. Inhaler technique corrected, spacer given. Sleeps flat. No tremor.",
        ),
    ),
    truth=Truth(),
)

GALLBLADDER = Course(
    title="after gallbladder operation, goes home",
    age=51,
    sex="F",
    moves=(
        Move(0.2, "A01", Place("AMU", "12", "12")),
        Move(16.5, "A03", Place("AMU", "12", "12")),
    ),
    vitals=steady(pulse=74, breaths=15, spo2=98, pressure=(126, 78), temperature=36.9),
    labs=(Labs(1.1, {"wbc": 8.0, "bilirubin": 0.8, "haemoglobin": 12.9}),),
    notes=(
        Note(
            3.0,
            "nursing",
            """\
Day 1 after laparoscopic cholecystectomy. Four small wounds dry. Shoulder-tip ache, paracetamol helps. No
jaundice.""",
        ),
        Note(
            15.8,
            "discharge",
            """\
DISCHARGE SUMMARY
Acute cholecystitis with gallstones. Laparoscopic cholecystectomy without complications. No bile leak, no wound
infection. Eats, walks, passes urine. Medication: paracetamol as needed. Follow-up with the family doctor.
To return if she has fever, jaundice or severe pain.""",
        ),
    ),
    truth=Truth(),
)

CHEST_PAIN = Course(
    title="chest pain, heart attack ruled out (takes bed 12 later)",
    age=62,
    sex="M",
    moves=(
        Move(17.6, "A01", Place("ED", "R", "R1")),
        Move(18.4, "A02", Place("AMU", "12", "12")),
    ),
    vitals=steady(pulse=72, breaths=15, spo2=97, pressure=(134, 80), temperature=36.6),
    labs=(Labs(18.2, {"haemoglobin": 14.8, "creatinine": 1.0, "potassium": 4.3, "glucose": 118}),),
    notes=(
        Note(
            18.0,
            "emergency",
            """\
62-year-old man with a two-hour episode of burning central chest pain after supper. No radiation, no sweating.
ECG without ischaemic changes, two troponins negative. FAMILY HISTORY: Father had a heart attack at 70.
ASSESSMENT: No acute coronary syndrome. Gastro-oesophageal reflux disease likely. Aortic dissection unlikely.""",
        ),
        Note(22.5, "nursing", "Free of pain since arrival. Telemetry without events. Walks about. Omeprazole given."),
    ),
    truth=Truth(),
)

COURSES = (HIP, CELLULITIS, HEART_FAILURE, DIABETES, URINARY, ASTHMA, GALLBLADDER, CHEST_PAIN)
