"""What the deterioration models read: names, units, what is plausible in a patient in intensive care, other names.

Names and units are those of the edge (documentation, "Names"); the columns of the PhysioNet challenges of 2012 and 2019
(Silva et al., Computing in Cardiology 2012;39:245; Reyna et al., Crit Care Med 2020;48:210) map onto them. Limits are
narrower than those of the edge: a value outside them may be of a living body, but it is far more often a slipped probe
or another unit, and no model has learned from it. It is kept out and counted. Where another unit explains a value that
no patient has in ours, the value is converted, and that is counted as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isnan, nan

MMOL_PER_MG_DL_MAGNESIUM = 1 / 2.4305  # molar mass 24.305 g/mol


@dataclass(frozen=True, slots=True)
class OtherUnit:
    """Values in [low, high) are in `unit`; value * factor + offset is in ours. becomes: which quantity it is then."""

    low: float
    high: float
    unit: str
    factor: float
    offset: float = 0.0
    becomes: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """One quantity. unit: UCUM. low, high: plausible, inclusive. spoken: how a clinician says it.

    columns: of PhysioNet with this quantity.
    """

    name: str
    unit: str
    low: float
    high: float
    spoken: str
    columns: tuple[str, ...]
    others: tuple[OtherUnit, ...] = ()


def _v(
    name: str, unit: str, limits: tuple[float, float], spoken: str, columns: str = "", *others: OtherUnit
) -> Variable:
    return Variable(name, unit, *limits, spoken, tuple(columns.split()), others)


U = OtherUnit
# Molar masses as at the edge (services/note_ingest/catalogue.py); 1 kPa is 7.50062 mm[Hg].
VARIABLES = (
    # vital signs
    _v("heart_rate", "/min", (15, 300), "heart rate", "HR"),
    _v("resp_rate", "/min", (2, 80), "respirations", "RespRate Resp"),
    _v("spo2", "%", (40, 100), "SpO2", "O2Sat", U(0.4, 1.001, "1", 100)),
    _v("sbp", "mm[Hg]", (30, 300), "systolic pressure", "SysABP NISysABP SBP", U(4, 29, "kPa", 7.50062)),
    _v("dbp", "mm[Hg]", (10, 200), "diastolic pressure", "DiasABP NIDiasABP DBP"),
    _v("map", "mm[Hg]", (20, 250), "mean arterial pressure", "MAP NIMAP"),
    _v("temperature", "Cel", (26, 43.5), "temperature", "Temp", U(79, 111, "[degF]", 5 / 9, -160 / 9)),
    _v("gcs", "{score}", (3, 15), "Glasgow coma scale", "GCS"),
    _v("fio2", "1", (0.2, 1.0), "inspired oxygen", "FiO2", U(20, 101, "%", 0.01)),
    _v("etco2", "mm[Hg]", (5, 120), "end-tidal CO2", "EtCO2", U(1, 5, "kPa", 7.50062)),
    _v("urine_output", "mL", (0, 5000), "urine", "Urine"),
    _v("mech_vent", "{bool}", (0, 1), "mechanical ventilation", "MechVent"),
    # blood gas
    _v("ph", "[pH]", (6.6, 7.9), "pH", "pH", U(660, 790, "[pH] without its point", 0.01)),
    _v("paco2", "mm[Hg]", (10, 180), "PaCO2", "PaCO2", U(1.5, 10, "kPa", 7.50062)),
    _v("pao2", "mm[Hg]", (20, 700), "PaO2", "PaO2", U(4, 20, "kPa", 7.50062)),
    _v("sao2_gas", "%", (30, 100), "arterial saturation", "SaO2", U(0.3, 1.001, "1", 100)),
    _v("base_excess", "mmol/L", (-45, 45), "base excess", "BaseExcess"),
    _v("bicarbonate", "mmol/L", (3, 60), "bicarbonate", "HCO3"),
    _v("lactate", "mmol/L", (0.1, 35), "lactate", "Lactate", U(35.001, 320, "mg/dL", 1 / 9.008)),
    # laboratory
    _v("sodium", "mmol/L", (95, 190), "sodium", "Na"),
    _v("potassium", "mmol/L", (1.2, 12), "potassium", "K Potassium"),
    _v("chloride", "mmol/L", (60, 160), "chloride", "Chloride"),
    _v("calcium", "mg/dL", (4, 20), "calcium", "Calcium",
       U(0.4, 2, "mmol/L", 1, becomes="calcium_ionised"), U(2, 4, "mmol/L", 4.0078)),
    _v("calcium_ionised", "mmol/L", (0.4, 2.5), "ionised calcium"),
    _v("magnesium", "mmol/L", (0.2, 3.6), "magnesium", "Mg Magnesium",
       U(3.601, 9, "mg/dL", MMOL_PER_MG_DL_MAGNESIUM)),
    _v("phosphate", "mg/dL", (0.3, 20), "phosphate", "Phosphate"),
    _v("creatinine", "mg/dL", (0.1, 25), "creatinine", "Creatinine", U(25.001, 2500, "umol/L", 0.011312)),
    _v("bun", "mg/dL", (1, 300), "urea nitrogen", "BUN"),
    _v("glucose", "mg/dL", (20, 1500), "glucose", "Glucose", U(2, 20, "mmol/L", 18.0156)),
    _v("bilirubin", "mg/dL", (0.05, 60), "bilirubin", "Bilirubin Bilirubin_total", U(60.001, 1000, "umol/L", 0.058466)),
    _v("bilirubin_direct", "mg/dL", (0.01, 40), "direct bilirubin", "Bilirubin_direct",
       U(40.001, 700, "umol/L", 0.058466)),
    _v("albumin", "g/dL", (0.5, 7), "albumin", "Albumin", U(7.001, 70, "g/L", 0.1)),
    _v("alt", "U/L", (1, 20000), "ALT", "ALT"),
    _v("ast", "U/L", (1, 30000), "AST", "AST"),
    _v("alp", "U/L", (5, 5000), "alkaline phosphatase", "ALP Alkalinephos"),
    _v("cholesterol", "mg/dL", (15, 1000), "cholesterol", "Cholesterol", U(1, 15, "mmol/L", 38.665)),
    _v("troponin_i", "ng/mL", (0, 600), "troponin I", "TroponinI"),
    _v("troponin_t", "ng/mL", (0, 100), "troponin T", "TroponinT"),
    _v("wbc", "10*9/L", (0.05, 500), "white cells", "WBC", U(500.001, 500000, "/uL", 0.001)),
    _v("haemoglobin", "g/dL", (2, 25), "haemoglobin", "Hgb", U(25.001, 250, "g/L", 0.1)),
    _v("haematocrit", "%", (6, 75), "haematocrit", "HCT Hct", U(0.06, 0.751, "1", 100)),
    _v("platelets", "10*9/L", (1, 2500), "platelets", "Platelets", U(2500.001, 2500000, "/uL", 0.001)),
    _v("ptt", "s", (10, 300), "PTT", "PTT"),
    _v("fibrinogen", "mg/dL", (20, 1500), "fibrinogen", "Fibrinogen", U(0.2, 15, "g/L", 100)),
    # the person and the place
    _v("age", "a", (0, 120), "age", "Age"),
    _v("sex", "{male}", (0, 1), "sex", "Gender"),
    _v("weight", "kg", (20, 300), "weight", "Weight"),
    _v("height", "cm", (100, 230), "height", "Height", U(1.2, 2.3, "m", 100), U(48, 91, "[in_i]", 2.54)),
    _v("icu_type", "{type}", (1, 4), "kind of unit", "ICUType"),  # 1 coronary, 2 cardiac surgery, 3 medical, 4 surgical
    _v("hours_in_hospital", "h", (-8760, 24), "hours in hospital before", "HospAdmTime"),
)  # fmt: skip

BY_NAME: Mapping[str, Variable] = {one.name: one for one in VARIABLES}
_BY_COLUMN = {column: one.name for one in VARIABLES for column in one.columns}
# Both sets write mmol for magnesium and hold mg/dL: their median is 2.0.
_COLUMN_FACTORS = {"Mg": MMOL_PER_MG_DL_MAGNESIUM, "Magnesium": MMOL_PER_MG_DL_MAGNESIUM}
# The two flags of 2019 say one thing: which kind of unit, as 2012 numbers them.
_UNIT_FLAGS = {"Unit1": 3.0, "Unit2": 4.0}
UNITS_SPOKEN = {1.0: "coronary", 2.0: "cardiac surgery", 3.0: "medical", 4.0: "surgical"}
_UNIT_WORDS = {
    "1": 1.0, "ccu": 1.0, "coronary": 1.0, "cardiac": 1.0,
    "2": 2.0, "csru": 2.0, "cvicu": 2.0, "cardiac surgery": 2.0,
    "3": 3.0, "micu": 3.0, "medical": 3.0,
    "4": 4.0, "sicu": 4.0, "surgical": 4.0, "tsicu": 4.0,
}  # fmt: skip
_SEX_WORDS = {"m": 1.0, "male": 1.0, "f": 0.0, "female": 0.0, "1": 1.0, "0": 0.0}
IMPOSSIBLE = "impossible"
# What a sender writes for "unknown" is neither a measurement nor a fault.
_UNKNOWN = {("weight", -1.0), ("height", -1.0), ("sex", -1.0), ("weight", 0.0)}


@dataclass(frozen=True, slots=True)
class Read:
    """A value as the models take it. value: in our unit, NaN when not usable. remark: what was wrong with it, or ""."""

    name: str
    value: float
    remark: str = ""


def read(name: str, value: float) -> Read | None:
    """A value under our name or a PhysioNet column, in our unit; None for a name that no model reads.

    Values that are not plausible in any unit are NaN with the remark
    "impossible"; converted ones carry "in <unit>".
    """
    if name in _UNIT_FLAGS:
        return Read("icu_type", _UNIT_FLAGS[name] if value == 1 else nan)
    own = _BY_COLUMN.get(name, name)
    variable = BY_NAME.get(own)
    if variable is None:
        return None
    if isnan(value) or (own, value) in _UNKNOWN:
        return Read(own, nan)
    return _plausible(variable, value * _COLUMN_FACTORS.get(name, 1.0))


def _plausible(variable: Variable, value: float) -> Read:
    for other in variable.others:
        if other.low <= value < other.high:
            converted = value * other.factor + other.offset
            return Read(other.becomes or variable.name, converted, f"in {other.unit}")
    if variable.low <= value <= variable.high and abs(value) < inf:
        return Read(variable.name, value)
    return Read(variable.name, nan, IMPOSSIBLE)


def unit_type(text: str) -> float:
    """Kind of intensive care from a unit's name ("MICU", "surgical ICU", "3"): 1 to 4, NaN when not known."""
    word = text.strip().lower()
    return _UNIT_WORDS.get(word, _UNIT_WORDS.get(word.removesuffix("icu").strip(), nan))


def sex_code(text: str) -> float:
    """1 male, 0 female, NaN otherwise."""
    return _SEX_WORDS.get(text.strip().lower(), nan)
