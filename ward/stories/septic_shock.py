"""Septic shock from pneumonia: text, image and physiology agree hours before the blood pressure fails."""

from ward.course import Course, Labs, Move, Note, Picture, Place, Truth

WARD = Place("AMU", "3", "03")
COURSE = Course(
    title="septic shock from pneumonia",
    age=58,
    sex="F",
    moves=(
        Move(0.0, "A01", Place("ED", "R", "R2")),
        Move(2.2, "A02", WARD),
        Move(13.3, "A02", Place("ICU", "1", "I1")),
    ),
    vitals={
        "heart_rate": ((0, 98), (3, 104), (6, 113), (9, 124), (12, 134), (16, 122), (24, 104)),
        "resp_rate": ((0, 20), (3, 21), (6, 24), (9, 27), (12, 31), (16, 28), (20, 24), (24, 22)),
        "spo2": ((0, 95), (6, 93), (12, 89), (14, 91), (24, 95)),
        "sbp": ((0, 124), (6, 111), (8.5, 97), (12, 84), (14, 79), (18, 97), (24, 107)),
        "dbp": ((0, 72), (8, 58), (13, 44), (18, 54), (24, 60)),
        "temperature": ((0, 38.4), (6, 39.2), (12, 39.4), (18, 38.5), (24, 37.9)),
        "gcs": ((0, 15), (8.5, 14), (11.5, 13), (19, 14), (22.5, 15)),
        "fio2": ((0, 21), (4, 28), (9, 40), (12, 50), (20, 40), (23, 35)),
    },
    labs=(
        Labs(0.7, {"lactate": 1.9, "wbc": 17.8, "haemoglobin": 12.9, "platelets": 212, "creatinine": 1.1, "crp": 188}),
        Labs(6.9, {"lactate": 3.1, "wbc": 19.4, "creatinine": 1.4, "platelets": 178}),
        Labs(11.2, {"lactate": 4.6, "wbc": 21.2, "creatinine": 1.9, "platelets": 141, "bilirubin": 1.6}),
        Labs(15.4, {"lactate": 5.2, "wbc": 22.0, "creatinine": 2.3, "platelets": 118, "bilirubin": 2.1}),
        Labs(21.6, {"lactate": 2.6, "wbc": 18.1, "creatinine": 2.0, "platelets": 122, "crp": 264}),
    ),
    pictures=(
        Picture(
            hour=1.4,
            source="chest_pneumonia.jpg",
            modality="DX",
            body_part="CHEST",
            description="XR chest PA",
            view="PA",
            report="""\
EXAM: Chest radiograph, PA view.
INDICATION: Fever and productive cough for three days. Rule out pneumonia.
COMPARISON: None.
FINDINGS: Airspace consolidation in the right mid and lower zone with air bronchograms. The left lung is clear.
No pleural effusion. No pneumothorax. The heart is of normal size. No acute bony abnormality.
IMPRESSION:
1. Right lower lobe pneumonia.
2. No pneumothorax.""",
        ),
    ),
    notes=(
        Note(
            0.9,
            "emergency",
            """\
CHIEF COMPLAINT: Fever, productive cough.
HISTORY OF PRESENT ILLNESS: 58-year-old woman with three days of fever, rigors and cough with rusty sputum.
Right-sided pleuritic chest pain since yesterday. Denies haemoptysis. No recent travel, no sick contacts.
PAST MEDICAL HISTORY: Essential hypertension, type 2 diabetes mellitus.
FAMILY HISTORY: Father had a myocardial infarction at 61. Mother with breast cancer.
EXAM: Febrile, bronchial breathing and crackles at the right base. Abdomen soft, no peritonism. No neck stiffness.
ASSESSMENT: Community-acquired pneumonia of the right lower lobe. Pulmonary embolism thought unlikely.
PLAN: Blood cultures taken, ceftriaxone and azithromycin given at once. Repeat lactate in six hours.""",
        ),
        Note(
            3.1,
            "nursing",
            """\
Arrived on the unit from ED. Alert and orientated, feels hot and shivery. Cough with rust-coloured sputum,
sample sent. IV cannula left forearm, site clean. First antibiotic dose given before transfer. No rash seen.
Allergy to trimethoprim, rash. Metformin was held. Call bell within reach.""",
        ),
        Note(
            7.2,
            "nursing",
            """\
Looks more unwell than at handover. Breathing faster, oxygen by nasal cannula started, saturations 93 %.
Skin warm, flushed. Urine output 25 mL in the last hour. Lactate back at 3.1, doctor informed. Denies chest pain
now. No bleeding. Second litre of crystalloid running.""",
        ),
        Note(
            9.6,
            "progress",
            """\
SUBJECTIVE: Short of breath at rest, drowsy but rousable.
OBJECTIVE: Respiratory rate 28, systolic 95 after 2 L of crystalloid, temperature 39.3. Lactate rising.
ASSESSMENT: Sepsis due to right lower lobe pneumonia with hypotension and acute kidney injury. No evidence of
meningitis. Not in heart failure.
PLAN: Ceftriaxone was stopped. Piperacillin-tazobactam 4.5 g IV every 8 hours was started. Amlodipine was held.
Third litre. Critical care asked to review.""",
        ),
        Note(
            12.6,
            "consult",
            """\
CRITICAL CARE REVIEW
Septic shock from community-acquired pneumonia. Mean pressure below 60 despite 30 mL/kg of crystalloid, lactate 4.6.
Acute hypoxic respiratory failure on 50 % oxygen. Acute kidney injury. No signs of acute coronary syndrome.
Noradrenaline through a femoral line while a bed is prepared. Transfer to intensive care agreed. Family informed.""",
        ),
        Note(
            16.8,
            "nursing",
            """\
ICU admission. Noradrenaline 0.25 mcg/kg/min, mean pressure 64. Taking ceftriaxone 2 g IV daily as charted.
High-flow nasal oxygen. Arterial line right radial. Confused to time and place, follows commands. No pressure injury
on arrival. Catheter draining 30 mL/h.""",
        ),
        Note(
            22.8,
            "progress",
            """\
Septic shock secondary to pneumonia, improving. Noradrenaline was reduced to 0.08 mcg/kg/min. Lactate 2.6. Urine output
recovering. Sputum grew Streptococcus pneumoniae, sensitive to penicillin. No new infiltrates expected today.
Plan: piperacillin-tazobactam was stopped. Benzylpenicillin 2.4 g IV every 6 hours was started. Continue high-flow
oxygen overnight.""",
        ),
    ),
    truth=Truth(
        must={
            "news2_high": "NEWS2 of 7 or more",
            "syndrome:suspected_sepsis": "infection in text or image, and qSOFA of 2 or more",
        },
        may=(r"news2_single_red", r"syndrome:(septic_shock|respiratory_failure)", r"critical_finding:pneumonia"),
    ),
)
