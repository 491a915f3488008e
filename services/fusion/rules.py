"""What several sources say together, as data: each rule with its terms and its published reason or "local policy"."""

from dataclasses import dataclass

LOCAL_POLICY = "local policy"
SEPSIS_3 = "Singer et al., Sepsis-3, JAMA 2016;315:801: suspected infection and qSOFA of 2 or more"
ACR_ACTIONABLE = "ACR Actionable Reporting Work Group, Larson et al., J Am Coll Radiol 2014;11:552"


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that text and images may state.

    codes: prefixes of ICD-10-CM codes. findings: labels of report findings. images: labels of image findings.
    general: prefixes of the codes of the thing as such. Who denies one of these denies it all ("no pneumonia"); who
    denies another code denies only what shares its three characters ("no abscess" leaves a cellulitis).
    """

    name: str
    codes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    general: tuple[str, ...] = ()


# Acute infections that sepsis comes from. Sites: Rudd et al., Global burden of sepsis, Lancet 2020;395:200, whose
# explicit and infectious ICD-10 codes these are a part of; colonisation and chronic infections are left out.
INFECTIONS = (
    Term("sepsis", ("A40", "A41", "A39.2", "A39.4", "B37.7", "R65.2", "A48.3", "O85"), general=("A41.9",)),
    Term("bacteraemia", ("R78.81",)),
    Term(
        "pneumonia",
        ("J12", "J13", "J14", "J15", "J16", "J17", "J18", "J69.0", "J85.1"),
        ("pneumonia",),
        ("pneumonia",),
        ("J18.9",),
    ),
    Term("consolidation", (), ("consolidation",), ("consolidation",)),
    Term("empyema or lung abscess", ("J85.0", "J85.2", "J86")),
    Term("urinary infection", ("N39.0", "N10", "N12", "N13.6", "N15.1")),
    Term("skin or soft tissue infection", ("L03", "A46", "M72.6", "L02")),
    Term("meningitis or brain abscess", ("G00", "G03.9", "G04.2", "G06.0")),
    Term("abdominal infection", ("K65", "K57.2", "K57.0", "K35", "K81.0", "K83.0", "K75.0", "K63.1")),
    Term("endocarditis", ("I33", "I38")),
    Term("bone or joint infection", ("M00", "M86.0", "M86.1", "M86.2", "M46.2")),
    Term("infection of a line, implant or wound", ("T80.2", "T81.4", "T82.6", "T82.7", "T83.5", "T84.5", "T84.6")),
)
PNEUMOTHORAX = Term(
    "pneumothorax", ("J93", "J95.811", "S27.0", "S27.2"), ("pneumothorax",), ("pneumothorax",), ("J93.9",)
)
BRAIN_HAEMORRHAGE = Term(
    "brain_haemorrhage",
    ("I60", "I61", "I62", "S06.4", "S06.5", "S06.6"),
    ("brain_haemorrhage",),
    ("haemorrhage",),
    ("I62.9",),
)
BRAIN_COMPRESSION = Term("brain_midline_shift", ("G93.5",), ("brain_midline_shift",))
BRAIN_TUMOUR = Term(
    "brain_tumour",
    ("C71", "C79.31", "D33.0", "D33.1", "D33.2"),
    ("brain_mass",),
    ("meningioma", "glioma", "pituitary"),
)


@dataclass(frozen=True, slots=True)
class CriticalRule:
    """A statement that a person must hear of at once. sentence: filled with `{where}` and `{what}`."""

    term: Term
    sentence: str
    basis: str = ACR_ACTIONABLE


CRITICAL = (
    CriticalRule(PNEUMOTHORAX, "Pneumothorax {where}: {what}."),
    CriticalRule(BRAIN_HAEMORRHAGE, "Intracranial haemorrhage {where}: {what}."),
    CriticalRule(BRAIN_COMPRESSION, "Midline shift or compression of the brain {where}: {what}."),
    CriticalRule(BRAIN_TUMOUR, "Brain tumour {where}: {what}."),
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A measurement that must be fresh and at most (or at least) `value`, in the unit that the name is kept in."""

    name: str
    at_most: float | None = None
    at_least: float | None = None

    def holds(self, value: float) -> bool:
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


@dataclass(frozen=True, slots=True)
class SyndromeRule:
    """Terms in text or image, and physiology that goes with them.

    terms: any of them. qsofa: points from which the score agrees. limits: all must hold, when there is no qsofa.
    sentence: filled with `{what}` (evidence from text and image) and `{signs}` (physiology).
    """

    name: str
    terms: tuple[Term, ...]
    sentence: str
    basis: str
    qsofa: int | None = None
    limits: tuple[Limit, ...] = ()


SYNDROMES = (
    SyndromeRule(
        "suspected_sepsis",
        INFECTIONS,
        "Suspected sepsis: {what}, with {signs}.",
        SEPSIS_3,
        qsofa=2,
    ),
    SyndromeRule(
        "tension_pneumothorax",
        (PNEUMOTHORAX,),
        "Possible tension pneumothorax: {what}, with {signs}.",
        LOCAL_POLICY,
        limits=(Limit("sbp", at_most=100), Limit("heart_rate", at_least=110), Limit("spo2", at_most=92)),
    ),
    SyndromeRule(
        "raised_intracranial_pressure",
        (BRAIN_TUMOUR, BRAIN_HAEMORRHAGE, BRAIN_COMPRESSION),
        "Possible raised intracranial pressure: {what}, with {signs}.",
        LOCAL_POLICY,
        limits=(Limit("gcs", at_most=13),),
    ),
)
