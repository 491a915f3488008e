"""What the ward measures: LOINC code, UCUM unit, printed decimals and measurement noise of each observation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """`noise` is the largest deviation from the course, in `unit`; it is drawn evenly from both sides."""

    loinc: str
    title: str
    unit: str
    decimals: int = 0
    noise: float = 0.0


VITALS = {
    "heart_rate": Measure("8867-4", "Heart rate", "/min", noise=4),
    "resp_rate": Measure("9279-1", "Respiratory rate", "/min", noise=1),
    "spo2": Measure("59408-5", "Oxygen saturation by pulse oximetry", "%", noise=1),
    "sbp": Measure("8480-6", "Systolic blood pressure", "mm[Hg]", noise=5),
    "dbp": Measure("8462-4", "Diastolic blood pressure", "mm[Hg]", noise=4),
    "temperature": Measure("8310-5", "Body temperature", "Cel", decimals=1, noise=0.15),
    "gcs": Measure("9269-2", "Glasgow coma score total", "{score}"),
    "fio2": Measure("3150-6", "Inhaled oxygen concentration", "%"),
    "spo2_scale": Measure("", "NEWS2 SpO2 scale as prescribed", "{scale}"),
}

LABS = {
    "lactate": Measure("2524-7", "Lactate", "mmol/L", decimals=1),
    "wbc": Measure("6690-2", "Leukocytes", "10*3/uL", decimals=1),
    "haemoglobin": Measure("718-7", "Hemoglobin", "g/dL", decimals=1),
    "platelets": Measure("777-3", "Platelets", "10*3/uL"),
    "creatinine": Measure("2160-0", "Creatinine", "mg/dL", decimals=2),
    "bilirubin": Measure("1975-2", "Bilirubin total", "mg/dL", decimals=1),
    "sodium": Measure("2951-2", "Sodium", "mmol/L"),
    "potassium": Measure("2823-3", "Potassium", "mmol/L", decimals=1),
    "glucose": Measure("2345-7", "Glucose", "mg/dL"),
    "crp": Measure("1988-5", "C reactive protein", "mg/L"),
}

NOTE_TYPES = {
    "nursing": ("34746-8", "Nurse note"),
    "progress": ("11506-3", "Progress note"),
    "consult": ("11488-4", "Consultation note"),
    "emergency": ("34111-5", "Emergency department note"),
    "procedure": ("28570-0", "Procedure note"),
    "discharge": ("18842-5", "Discharge summary"),
}

REPORT_TYPES = {
    "DX": ("36643-5", "XR Chest 2 Views"),
    "MR": ("24590-2", "MR Brain W contrast IV"),
    "CT": ("24725-4", "CT Head"),
}
