"""Reduce Drugs@FDA and the DrugBank open vocabulary to `data/drug_names.tsv`.

cd services/nlp_coder/data && python -m services.nlp_coder.make_drug_names FDA.tsv.gz DRUGBANK.tsv.gz > drug_names.tsv
Drugs@FDA (US Food and Drug Administration) is in the public domain, the DrugBank open vocabulary under CC0. What notes
write and neither list has, or names otherwise, is in `data/drug_names_local.tsv` and goes first.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from services.nlp_coder.data_files import rows
from services.nlp_coder.tokens import words_of

_HEADER = """\
# Names of drugs and their ingredients, joined by " + ". "dose": a name that is also an everyday word or what a
# laboratory measures, which is a medication only beside a dose or in a list of medications.
# FDA: Drugs@FDA product file, public domain. DrugBank: open vocabulary, CC0. Made by make_drug_names.py.
# name\tingredients\twhen\tsource
"""
# Everyday words among the names; local.
_NO_NAMES_TEXT = """
medical extended medium prompt balanced irrigating cardioplegic triad compound methyl grape grapefruit celery lactose
eosin formalin serotonin homocysteine angiotensin creatine cadmium natural sterile
today same date monitor water balance dimension milk cotton beam capture caps chicken yeasts yeast rice thrive
orange lata ecstasy chocolate tobacco creatinine hemoglobin cholesterol carbonate acetate sulfate phosphate nitrite
nitrate titanium silver carbon prothrombin thrombin thyroglobulin pre-op beta-2 adrenal ace air egg wheat corn soy
peanut shrimp tomato apple banana strawberry wool house pork beef lamb turkey salmon tuna crab lobster oyster clam
cat dog horse mouse formula advance control complete relief clear focus natural perfect pure gel cream lotion soap
sponge pad tape gauze drops spray total one plus acid base salt sugar honey tea coffee garlic onion pepper mustard
ginger hair feather dust grass oak pine maple birch cedar tree skin blood plasma serum bone liver heart thyroid
pancreas ovary testis placenta albumin fibrinogen ferritin transferrin insulin-like troponin collagen keratin
elastin actin myosin light dark gold copper lead mercury tin nickel cobalt uranium radon argon helium nitrogen
hydrogen fluorine same-day max ultra extra super mega mini micro ring band link line bridge star sun moon sky sea
lime ash smoke sleep wake rest peace hope joy love life alive active moment time day night event signal response
choice select direct select elite prime first last next best good great fine nice kind care cure heal safe sure true
real ideal lice ticks mites fleas bee wasp hornet ant spider mosquito cockroach mold candida aspergillus penicillium
optic optical vision visual eye ear nose throat mouth tongue tooth teeth gum lip oral nasal rectal vaginal topical
local cement fluid lens kit device needle syringe tube bag catheter pump patch agent solution drug medicine placebo
impact aim axis arc apex alto asp bio cap dual duo echo edge epic era factor fast flow force forte gas gen iso jet
key lab lite logic max mate mono next nova omega onset open opti optimum pace path peak pen pilot plan point power
pro pulse quest rapid ready rise root rx scan shield shot side sign slim smart soft solo sonic source spark speed
spirit spot stage step stop storm stride switch tag target team term test tone top touch trace track trend trial
trio turbo unit urge vital wave wide wing zone ribs alkaline phosphatase uric amylase lipase lactate bilirubin urea
pyruvate alanine aspartate antigen antibody protein lipid triglycerides triglyceride estrogen cortisol nitric
junior urologic primus patrol cascade bezoar silicon silica synthetic amber basil mango cherry carrot mushroom eggplant
cabbage cauliflower lemon potato olive angelica laryngotracheal platinum
oxygenase ethanol methanol cocaine heroin marijuana methamphetamine cannabis lsd pcp ghb thc
"""
_NO_NAMES = frozenset(_NO_NAMES_TEXT.split()) | frozenset(
    {"c-peptide", "protein c", "protein s", "factor vii", "intrinsic factor", "hepatitis b antigen",
     "hepatitis b surface antigen", "serum albumin", "antithrombin iii", "methylmalonic acid", "parathyroid hormone",
     "cow milk"}
)  # fmt: skip
# What a laboratory measures, and what is not taken unless somebody says how much; local.
_WITH_DOSE_TEXT = """
aldosterone vasopressin carnitine selenium vitamin saline fiber
glucose potassium calcium magnesium sodium chloride iron phosphorus oxygen alcohol bicarbonate zinc iodine barium
folate testosterone estradiol progesterone insulin-c cortisone thyroxine adenosine dopamine caffeine nicotine
ammonia phenol urea lithium digoxin-level carbamazepine-level dextrose saline gadolinium technetium thallium talc
benzoin vitamin amino steroid sleep-aid ether b12 b-12 b6 b1 gallium histamine acetylcholine cysteine povidone
"""
_WITH_DOSE = frozenset(_WITH_DOSE_TEXT.split()) | frozenset(
    {
        "uric acid",
        "carbon dioxide",
        "carbon monoxide",
        "alkaline phosphatase",
        "amino acids",
        "sterile water",
        "lactic acid",
    }
)
_SEPARATOR = re.compile(r"[;|]")
_PLAIN = re.compile(r"[a-z][a-z0-9' -]{1,40}[a-z0-9]")
_ANIMAL = re.compile(r"insulin\b.*\b(?:pork|beef)\b")
_ANIMAL_TOLD = re.compile(r"\b(?:pork|beef|porcine|bovine)\b")
# "Fentanyl-25" is fentanyl of that strength.
_STRENGTH = re.compile(r"[ -]\d+$")
_MOST_WORDS = 4
# Shorter synonyms are codes: "his" is histidine.
_SHORTEST = {"DrugBank": 5, "FDA": 4}


def main() -> None:
    fda, bank = (_rows(Path(name)) for name in sys.argv[1:3])
    written = dict(_named(list(fda), list(bank)))
    sys.stdout.write(_HEADER)
    for name, (ingredients, source) in sorted(written.items()):
        sys.stdout.write(f"{name}\t{ingredients}\t{'dose' if name in _WITH_DOSE else '-'}\t{source}\n")


def _rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            yield line.rstrip("\n").split("\t")


def _named(fda: list[list[str]], bank: list[list[str]]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Every name once: what notes write first, then products, then ingredients, then DrugBank's synonyms."""
    own = {row[1].lower(): row[1].lower() for row in bank}
    synonyms = {name.lower(): row[1].lower() for row in reversed(bank) for name in row[4].split("|") if name}
    known = synonyms | own
    names: dict[str, tuple[str, str]] = {}
    for name, ingredient in known.items():
        names[name] = ingredient, "DrugBank"
    for row in fda:
        parts = [_ingredient(part.strip().lower(), known) for part in _SEPARATOR.split(row[1])]
        for part in _SEPARATOR.split(row[1]):
            names.setdefault(part.strip().lower(), (_ingredient(part.strip().lower(), known), "FDA"))
        together = " + ".join(dict.fromkeys(parts))
        product = row[0].strip().lower()
        # Brands outlive the animals that old entries name: "Lente insulin" may be of either, or human.
        if _ANIMAL.match(together) and not _ANIMAL_TOLD.search(product):
            together = "insulin"
        if names.get(product, ("", ""))[1] != "DrugBank" and (
            product not in names or len(together) < len(names[product][0])
        ):
            names[product] = together, "FDA"
    names |= _families(names)
    local = {name: (ingredients, "local") for name, ingredients in rows("drug_names_local.tsv", 2)}
    yield from local.items()
    for name, value in names.items():
        if (
            name not in local
            and _PLAIN.fullmatch(name)
            and len(name.split()) <= _MOST_WORDS
            and not _is_everyday(name)
            and len(name) >= _SHORTEST[value[1]]
        ):
            yield name, value


def _is_everyday(name: str) -> bool:
    """As notes are read: "haemoglobin" is "hemoglobin"."""
    return name in _NO_NAMES or " ".join(words_of(name).norms) in _NO_NAMES


def _families(names: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Augmentin of "Augmentin XR" and "Augmentin ES-600", where all of that first word are of the same."""
    made: dict[str, set[str]] = {}
    for name, (ingredients, source) in names.items():
        first, blank, _rest = name.partition(" ")
        if blank and source == "FDA" and first.isalpha():
            made.setdefault(first, set()).add(ingredients)
    return {
        first: (next(iter(found)), "FDA")
        for first, found in made.items()
        if len(found) == 1 and first not in names and len(first) > _SHORTEST["DrugBank"]
    }


def _ingredient(name: str, known: Mapping[str, str]) -> str:
    """Without its salt: the longest beginning that DrugBank knows, "metoprolol" of "metoprolol tartrate"."""
    words = name.split()
    for count in range(len(words), 0, -1):
        found = known.get(" ".join(words[:count]))
        if found is not None:
            return found
    return name


if __name__ == "__main__":
    main()
