"""What Vigil measures by: names, LOINC and device codes, kept units, and what is physically possible.

Names are public (documentation, "Names"). LOINC 2.77; IEEE 11073-10101 (MDC) reference ids and numbers; the local
codes are those that PhysioNet's challenges and common monitors use. Limits are wide on purpose: outside them no living
adult has ever been measured, so the value is a fault of device, unit or typing (extremes from Guinness and case
reports: temperature 11.8 and 46.5 Cel, glucose 2656 mg/dL).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.note_ingest.drafts import Code


@dataclass(frozen=True, slots=True)
class Quantity:
    """One observation name.

    unit: UCUM, the one that values are kept in. low, high: possible values in `unit`. loinc: the first is ours.
    low > high: a word, no number is possible. local: device and local codes, lower case. molar_mass: g/mol, where
    laboratories send mass or amount.
    """

    name: str
    unit: str
    low: float
    high: float
    loinc: tuple[str, ...]
    local: tuple[str, ...] = ()
    molar_mass: float | None = None


Q = Quantity
QUANTITIES = (
    # vital signs
    Q("heart_rate", "/min", 0, 350, ("8867-4", "8889-8", "8890-6", "8893-0", "40443-4", "68999-2", "76477-9"),
      ("hr", "pulse", "pulse_rate", "mdc_ecg_heart_rate", "147842", "mdc_puls_oxim_puls_rate", "149530",
       "mdc_puls_rate", "149514", "mdc_ecg_card_beat_rate", "147842")),
    Q("resp_rate", "/min", 0, 150, ("9279-1", "19840-8", "76270-8", "76172-6"),
      ("rr", "resp", "resprate", "respiratory_rate", "mdc_resp_rate", "151562", "mdc_tthor_resp_rate", "151578")),
    Q("spo2", "%", 10, 100, ("59408-5", "2708-6", "2710-2", "20564-1", "51733-4", "59410-1"),
      ("o2sat", "sao2", "sat", "mdc_puls_oxim_sat_o2", "150456")),
    Q("sbp", "mm[Hg]", 0, 370, ("8480-6", "8459-0", "8460-8", "8461-6", "8479-8", "76215-3", "76534-7"),
      ("sysabp", "nisysabp", "systolic", "nibp_sys", "mdc_press_bld_noninv_sys", "150021", "mdc_press_bld_art_sys",
       "150033", "mdc_press_bld_art_abp_sys", "150037")),
    Q("dbp", "mm[Hg]", 0, 300, ("8462-4", "8453-3", "8454-1", "8455-8", "76213-8", "76535-4"),
      ("diasabp", "nidiasabp", "diastolic", "nibp_dia", "mdc_press_bld_noninv_dia", "150022",
       "mdc_press_bld_art_dia", "150034", "mdc_press_bld_art_abp_dia", "150038")),
    Q("map", "mm[Hg]", 0, 330, ("8478-0", "76214-6", "76536-2"),
      ("nimap", "mbp", "mdc_press_bld_noninv_mean", "150023", "mdc_press_bld_art_mean", "150035",
       "mdc_press_bld_art_abp_mean", "150039")),
    Q("temperature", "Cel", 10, 47, ("8310-5", "8328-7", "8329-5", "8331-1", "8332-9", "8333-7", "8334-5", "60834-9",
                                     "60835-6", "60836-4", "60838-0", "60955-2", "75539-7", "76010-8", "76011-6"),
      ("temp", "body_temperature", "mdc_temp", "150344", "mdc_temp_body", "150364")),
    Q("gcs", "{score}", 3, 15, ("9269-2", "35088-4"), ("gcs_total", "glasgow")),
    Q("gcs_eye", "{score}", 1, 4, ("9267-6",)),
    Q("gcs_verbal", "{score}", 1, 5, ("9270-0",)),
    Q("gcs_motor", "{score}", 1, 6, ("9268-4",)),
    Q("avpu", "", 1, 0, ("67775-7", "80288-4", "11454-5"), ("acvpu", "consciousness")),
    Q("fio2", "1", 0.15, 1.0, ("3150-6", "3151-0", "19994-3", "19996-8", "71835-3"),
      ("inspired_oxygen", "mdc_conc_awayn_o2_insp", "mdc_conc_away_o2_insp")),
    Q("oxygen_flow", "L/min", 0, 100, ("3151-8", "19941-4"), ("o2_flow", "o2flow")),
    Q("on_oxygen", "{bool}", 0, 1, ("57485-5",), ("supplemental_oxygen",)),
    Q("spo2_scale", "{scale}", 1, 2, (), ("news2_scale",)),
    Q("etco2", "mm[Hg]", 0, 150, ("19891-1", "19889-5"), ("mdc_awayn_co2_et", "mdc_away_co2_et", "151708")),
    Q("weight", "kg", 0.2, 650, ("29463-7", "3141-9", "3142-7", "8335-2")),
    Q("height", "cm", 20, 280, ("8302-2", "3137-7", "8306-3", "8308-9")),
    Q("urine_output", "mL", 0, 20000, ("9187-6", "9192-6", "3167-4"), ("urine",)),
    Q("mech_vent", "{bool}", 0, 1, (), ("mechvent",)),
    # blood gas
    Q("ph", "[pH]", 6.0, 8.5, ("2744-1", "11558-4", "2746-6", "33254-4")),
    Q("paco2", "mm[Hg]", 0, 300, ("2019-8", "11557-6", "32771-8")),
    Q("pao2", "mm[Hg]", 0, 800, ("2703-7", "11556-8", "19255-9")),
    Q("sao2_gas", "%", 0, 100, ("2713-6", "2711-0")),
    Q("bicarbonate", "mmol/L", 0, 80, ("1963-8", "1959-6", "1960-4", "2028-9", "14627-4"), ("hco3",)),
    Q("base_excess", "mmol/L", -60, 60, ("11555-0", "1925-7", "1922-4"), ("baseexcess",)),
    Q("lactate", "mmol/L", 0, 50, ("2524-7", "32693-4", "2518-9", "2519-7", "14118-4"), (), 90.08),
    # laboratory
    Q("wbc", "10*9/L", 0, 1500, ("6690-2", "26464-8", "804-5", "11156-7", "12227-5"), ("leukocytes",)),
    Q("haemoglobin", "g/dL", 0, 30, ("718-7", "20509-6", "30313-1", "30350-3", "59260-0"), ("hemoglobin", "hgb", "hb"),
      16114.5),  # laboratories give the monomer's mass
    Q("haematocrit", "%", 0, 90, ("4544-3", "20570-8", "4545-0", "71833-8"), ("hematocrit", "hct")),
    Q("platelets", "10*9/L", 0, 5000, ("777-3", "26515-7", "778-1", "49497-1", "11125-2")),
    Q("neutrophils", "10*9/L", 0, 1500, ("751-8", "26499-4", "753-4")),
    Q("lymphocytes", "10*9/L", 0, 1500, ("731-0", "26474-7")),
    Q("sodium", "mmol/L", 60, 260, ("2951-2", "2947-0", "32717-1"), ("na",)),
    Q("potassium", "mmol/L", 0, 20, ("2823-3", "6298-4", "32713-0"), ("k",)),
    Q("chloride", "mmol/L", 30, 220, ("2075-0", "2069-3", "32711-4"), ("cl",)),
    Q("calcium", "mg/dL", 0, 40, ("17861-6", "2000-8"), (), 40.078),
    Q("magnesium", "mmol/L", 0, 20, ("2601-3", "19123-9"), ("mg",), 24.305),
    Q("phosphate", "mg/dL", 0, 50, ("2777-1", "14879-1"), ("phosphorus",), 30.974),
    Q("creatinine", "mg/dL", 0, 80, ("2160-0", "38483-4", "14682-9"), (), 113.12),
    Q("bun", "mg/dL", 0, 400, ("3094-0", "6299-2", "14937-7", "22664-7"), ("urea", "urea_nitrogen"), 28.014),
    Q("glucose", "mg/dL", 0, 2700, ("2345-7", "2339-0", "2340-8", "41653-7", "14749-6", "15074-8", "1554-5", "1558-6"),
      (), 180.156),
    Q("bilirubin", "mg/dL", 0, 100, ("1975-2", "42719-5", "14631-6"), ("bilirubin_total",), 584.66),
    Q("bilirubin_direct", "mg/dL", 0, 80, ("1968-7", "15152-2", "14629-0"), (), 584.66),
    Q("albumin", "g/dL", 0, 10, ("1751-7", "2862-1", "61151-7")),
    Q("alt", "U/L", 0, 30000, ("1742-6", "1743-4", "1744-2"), ("sgpt",)),
    Q("ast", "U/L", 0, 50000, ("1920-8", "30239-8", "88112-8"), ("sgot",)),
    Q("alp", "U/L", 0, 10000, ("6768-6",), ("alkalinephos", "alkaline_phosphatase")),
    Q("cholesterol", "mg/dL", 0, 2000, ("2093-3", "14647-2"), (), 386.65),
    Q("troponin_i", "ng/mL", 0, 5000, ("10839-9", "49563-0", "42757-5", "89579-7"), ("troponini",)),
    Q("troponin_t", "ng/mL", 0, 500, ("6598-7", "48425-3", "67151-1"), ("troponint",)),
    Q("crp", "mg/L", 0, 1000, ("1988-5", "30522-7", "71426-1", "48421-2")),
    Q("procalcitonin", "ng/mL", 0, 2000, ("33959-8", "75241-0"), ("pct",)),
    Q("ptt", "s", 0, 400, ("3173-2", "14979-9"), ("aptt",)),
    Q("inr", "{INR}", 0, 50, ("6301-6", "34714-6")),
    Q("fibrinogen", "mg/dL", 0, 3000, ("3255-7", "30902-1")),
)  # fmt: skip

LOINC_SYSTEMS = {"LN", "LOINC", "HTTP://LOINC.ORG", "URN:OID:2.16.840.1.113883.6.1", "2.16.840.1.113883.6.1"}

BY_LOINC = {loinc: quantity for quantity in QUANTITIES for loinc in quantity.loinc}
BY_LOCAL = {code: quantity for quantity in QUANTITIES for code in (quantity.name, *quantity.local)}

# Results in words that are known, by what is kept. AVPU and ACVPU (NEWS2) as LOINC answers, SNOMED CT displays and
# bedside charts put them.
KNOWN_WORDS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "avpu": {
        "alert": ("a", "alert", "awake", "mentally alert", "fully awake"),
        "confusion": ("c", "confusion", "confused", "new confusion", "newly confused", "acute confusion"),
        "voice": ("v", "voice", "verbal", "responds to voice", "responsive to voice", "reacts to voice"),
        "pain": ("p", "pain", "responds to pain", "responsive to pain", "reacts to pain"),
        "unresponsive": ("u", "unresponsive", "unconscious", "not responsive"),
    },
    "on_oxygen": {
        "air": ("air", "room air", "ra", "no", "n", "false", "none", "off", "ambient air"),
        "oxygen": ("oxygen", "o2", "yes", "y", "true", "on", "supplemental oxygen", "nasal cannula", "mask"),
    },
}
WORDS = {name: {word: kept for kept, words in known.items() for word in words} for name, known in KNOWN_WORDS.items()}


def is_loinc(code: Code) -> bool:
    """Whether the sender says that the code is LOINC."""
    return code.system.upper() in LOINC_SYSTEMS


def quantity_of(codes: tuple[Code, ...]) -> Quantity | None:
    """The first known quantity among alternative codes; a LOINC number is known under any system's name."""
    for code in codes:
        found = BY_LOINC.get(code.code) or BY_LOCAL.get(code.code.lower().replace(" ", "_").replace("-", "_"))
        if found is not None:
            return found
    return None
