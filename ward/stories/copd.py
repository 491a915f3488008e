"""COPD with a prescribed target of 88 to 92 %: a saturation of 89 % is where it should be."""

from ward.course import Course, Labs, Move, Note, Picture, Place, Truth

WARD = Place("AMU", "2", "02")
COURSE = Course(
    title="COPD with a target saturation of 88 to 92 %",
    age=71,
    sex="M",
    moves=(Move(0.1, "A01", WARD),),
    vitals={
        "heart_rate": ((0, 86), (12, 84), (24, 82)),
        "resp_rate": ((0, 19), (24, 18)),
        "spo2": ((0, 89), (6, 90), (12, 89), (18, 90), (24, 90)),
        "sbp": ((0, 138), (24, 132)),
        "dbp": ((0, 80), (24, 78)),
        "temperature": ((0, 37.3), (24, 36.9)),
        "gcs": ((0, 15),),
        "fio2": ((0, 24),),
        "spo2_scale": ((0, 2),),
    },
    labs=(
        Labs(1.2, {"wbc": 10.8, "haemoglobin": 15.6, "creatinine": 1.0, "crp": 22, "sodium": 140, "potassium": 4.2}),
        Labs(14.0, {"wbc": 10.2, "crp": 17, "potassium": 4.0}),
    ),
    pictures=(
        Picture(
            hour=1.8,
            source="chest_hyperinflated.jpg",
            modality="DX",
            body_part="CHEST",
            description="XR chest PA",
            view="PA",
            report="""\
EXAM: Chest radiograph, PA view.
INDICATION: COPD exacerbation. Pneumonia?
FINDINGS: Hyperinflated lungs with flattened diaphragms. No consolidation. No pneumothorax. No pleural effusion.
Heart size normal.
IMPRESSION: Emphysema. No evidence of pneumonia.""",
        ),
    ),
    notes=(
        Note(
            0.7,
            "progress",
            """\
71-year-old man with severe COPD, FEV1 34 % predicted, home oxygen 16 hours a day. Two days of more wheeze and
whiter sputum. No fever, no chest pain, no leg swelling. Known hypercapnia on earlier admissions.
ASSESSMENT: Mild acute exacerbation of COPD. No evidence of pneumonia. Pulmonary embolism unlikely.
PLAN: Target saturation 88 to 92 %, SpO2 scale 2 prescribed. Prednisolone, salbutamol and ipratropium nebulisers.""",
        ),
        Note(
            5.5,
            "nursing",
            """\
Resting in the chair. Saturations 89 % on 24 % Venturi mask, within the prescribed target. Pursed-lip breathing
as usual for him. Speaks full sentences. Nebuliser with good effect. No confusion, no drowsiness.""",
        ),
        Note(
            13.0,
            "nursing",
            """\
Walked to the bathroom and back, breathless but recovered in two minutes. Saturations 88 to 90 %. Ate half his
lunch. Denies chest pain. Ankles not swollen. Inhaler technique practised.""",
        ),
        Note(
            21.5,
            "progress",
            """\
COPD exacerbation improving. Wheeze less. Saturation at target on 24 %. No respiratory acidosis on the gas.
Father died of lung cancer; patient stopped smoking six years ago. Plan: home tomorrow if stable.""",
        ),
    ),
    truth=Truth(),
)
