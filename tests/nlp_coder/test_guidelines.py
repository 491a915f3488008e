"""Short notes and what they are coded as, the dictionary's candidates taken as equally likely."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from vigil.v1 import notes_pb2

from services.nlp_coder.code_set import CodeRange, ranges_in
from services.nlp_coder.data_files import rows
from services.nlp_coder.excludes import excludes
from services.nlp_coder.guidelines import Guidelines, Ruling, apply_guidelines, load_guidelines
from services.nlp_coder.handlers import Coder
from services.nlp_coder.history_codes import code_of
from services.nlp_coder.numbered import numbered
from services.nlp_coder.reading import read_note
from services.nlp_coder.status_codes import status_mentions
from services.nlp_coder.tokens import words_of
from tests.nlp_coder.fakes import coded

HISTORY = re.compile(
    r"(?:(?:family|personal|medical|past) )*(?:history|hx|h/o|fh|fhx)(?: of| for| positive for| significant for)? ",
    re.IGNORECASE,
)
TABLE = Path(__file__).with_name("guideline_notes.tsv")


@dataclass(frozen=True)
class Candidate:
    code: str
    score: float = 0.9
    selected: bool = True
    spans: tuple[tuple[int, int], ...] = ()
    guessed: bool = False


@pytest.fixture(scope="module")
def guidelines(coder: Coder) -> Guidelines:
    return load_guidelines(coder.reader.code_set, coder.reader.chronic)


@dataclass(frozen=True)
class Row:
    """A row of the table; its last column, the guideline, is for the reader."""

    text: str
    kind: str
    coded: list[str]
    not_coded: list[str]


def table() -> list[Row]:
    lines = (line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    cells = (["" if cell == "-" else cell for cell in line.split("\t")] for line in lines)
    return [
        Row(text.replace("\\n", "\n"), kind, coded.split(), not_coded.split())
        for text, kind, coded, not_coded, _guideline in cells
    ]


def ruled(text: str, coder: Coder, guidelines: Guidelines, kind: str = "") -> tuple[Ruling, set[str]]:
    """The ruling, and all codes that stand in the end."""
    note = read_note(text, coder.reader)
    candidates = [Candidate(code) for code in dict.fromkeys(read.mention.code for read in note.mentions)]
    ruling = apply_guidelines(candidates, note.mentions, note.document, guidelines, kind)
    kept = {one.code for one in candidates} - ruling.withheld.keys()
    return ruling, kept | {one.code for one in ruling.added}


@pytest.mark.parametrize("row", table(), ids=lambda row: row.text)
def test_a_note_is_coded_as_the_guidelines_say(row: Row, coder: Coder, guidelines: Guidelines) -> None:
    _ruling, codes = ruled(row.text, coder, guidelines, row.kind)
    for wanted in row.coded:
        assert any(code == wanted or (wanted[-1] == "*" and code.startswith(wanted[:-1])) for code in codes), codes
    for unwanted in row.not_coded:
        assert not [code for code in codes if code.startswith(unwanted.rstrip("*"))]


def test_a_history_code_rests_on_the_mention_and_on_what_made_it_one(coder: Coder, guidelines: Guidelines) -> None:
    text = "History of DVT. Mother had breast cancer."
    document = read_note(text, coder.reader).document
    ruling, _codes = ruled(text, coder, guidelines)
    words = {one.code: [text[slice(*document.span(*span))] for span in one.words] for one in ruling.added}
    assert words["Z86.718"] == ["History of", "DVT"]
    assert words["Z80.3"][-1] == "breast cancer"
    assert {one.code: one.reading.experiencer for one in ruling.added} == {"Z86.718": "patient", "Z80.3": "family"}


def test_a_withheld_code_says_why_and_for_what(coder: Coder, guidelines: Guidelines) -> None:
    ruling, _codes = ruled("No pneumonia. Acute kidney failure. Kidney failure.", coder, guidelines)
    assert (ruling.withheld["J18.9"].reason, ruling.withheld["J18.9"].by) == ("denied", "")
    assert (ruling.withheld["N19"].reason, ruling.withheld["N19"].by) == ("excludes1", "N17.9")


def test_what_a_note_names_stands_before_what_the_model_reads_in_it(coder: Coder, guidelines: Guidelines) -> None:
    note = read_note("Type 1 diabetes.", coder.reader)
    candidates = [Candidate("E11.9", 0.9), Candidate("E10.9", 0.4)]
    ruling = apply_guidelines(candidates, note.mentions, note.document, guidelines)
    assert {code: one.by for code, one in ruling.withheld.items()} == {"E11.9": "E10.9"}


def test_a_denied_kind_denies_its_forms_and_a_denied_form_only_itself(coder: Coder, guidelines: Guidelines) -> None:
    note = read_note("No pneumonia.", coder.reader)
    candidates = [Candidate("J18.1"), Candidate("J44.9")]
    assert apply_guidelines(candidates, note.mentions, note.document, guidelines).withheld.keys() == {"J18.1"}
    note = read_note("No lobar pneumonia.", coder.reader)
    assert not apply_guidelines([Candidate("J18.9")], note.mentions, note.document, guidelines).withheld


def test_a_code_that_rests_on_a_past_mention_alone_is_past_too(coder: Coder, guidelines: Guidelines) -> None:
    note = read_note("History of DVT, now a swollen leg.", coder.reader)
    on_dvt, on_both = Candidate("I82.90", spans=((0, 10), (11, 14))), Candidate("I82.90", spans=((11, 14), (22, 33)))
    assert apply_guidelines([on_dvt], note.mentions, note.document, guidelines).withheld["I82.90"].reason == "past"
    assert not apply_guidelines([on_both], note.mentions, note.document, guidelines).withheld


def test_a_code_that_rests_on_what_was_looked_for_and_not_found_is_denied(coder: Coder, guidelines: Guidelines) -> None:
    note = read_note("Evaluate for pneumothorax. No pneumothorax.", coder.reader)
    candidate = Candidate("T14.8", spans=((13, 25),))
    withheld = apply_guidelines([candidate], note.mentions, note.document, guidelines).withheld
    assert withheld["T14.8"].reason == "denied"


def test_the_order_of_the_candidates_changes_nothing(coder: Coder, guidelines: Guidelines) -> None:
    text = "Type 1 diabetes. Type 2 diabetes. Acute kidney failure. Kidney failure. No pneumonia."
    note = read_note(text, coder.reader)
    candidates = [Candidate(read.mention.code) for read in note.mentions]
    forward = apply_guidelines(candidates, note.mentions, note.document, guidelines)
    assert forward == apply_guidelines(candidates[::-1], note.mentions, note.document, guidelines)


def test_the_code_that_the_note_stands_at_goes_whatever_its_score(coder: Coder, guidelines: Guidelines) -> None:
    note = read_note("Acute kidney failure. Kidney failure.", coder.reader)
    candidates = [Candidate("N19", 0.9), Candidate("N17.9", 0.4)]
    assert apply_guidelines(candidates, note.mentions, note.document, guidelines).withheld.keys() == {"N19"}


def test_of_two_that_exclude_each_other_the_better_one_stays(coder: Coder, guidelines: Guidelines) -> None:
    note = read_note("Type 1 diabetes. Type 2 diabetes.", coder.reader)
    candidates = [Candidate("E10.9", 0.4), Candidate("E11.9", 0.9)]
    assert apply_guidelines(candidates, note.mentions, note.document, guidelines).withheld.keys() == {"E10.9"}


def test_no_synonym_hides_the_condition_that_a_history_is_about(coder: Coder) -> None:
    """ "history of DVT" is a trigger and a condition; as one name it would miss what else is said of that."""
    hiding = []
    for phrase, code, _source in rows("synonyms/Z.tsv", 3):
        opening = HISTORY.match(phrase)
        if opening and "Z80" <= code < "Z88":
            words = numbered(words_of(phrase[opening.end() :]).norms)
            found = [coder.reader.dictionary.longest_from(words, at, len(words)) for at in range(len(words))]
            if any(match and match[1].code[:1] not in ("", "Z") for match in found):
                hiding.append(phrase)
    assert hiding == []


def test_an_operation_of_this_stay_is_no_state_yet(coder: Coder, guidelines: Guidelines) -> None:
    def states(text: str) -> list[str]:
        document = read_note(text, coder.reader).document
        return [found.code for found in status_mentions(document, guidelines.status_terms)]

    assert states("A colostomy was performed today.") == []
    assert states("She has a colostomy. Previous colectomy.") == ["Z93.3", "Z90.49"]


def test_every_condition_of_a_note_of_the_tabular_list_gets_the_code_of_that_note(guidelines: Guidelines) -> None:
    history = guidelines.standing.history
    assert code_of(history.family, "C50.911") == "Z80.3"
    assert code_of(history.family, "K63.5") == "Z83.719"
    assert code_of(history.personal, "C7A.092") == "Z85.020"
    assert code_of(history.personal, "J98.4") == "Z87.09"
    assert code_of(history.personal, "R07.9") is None


def test_ranges_of_notes_hold_what_lies_below_them() -> None:
    first, second, third = ranges_in("asthma (J45.-), viral hepatitis (B15-B19), coma (R40.20)")
    assert (first, second) == (CodeRange("J45", "J45"), CodeRange("B15", "B19"))
    assert "J45.909" in first
    assert "B19.20" in second
    assert "B20" not in second
    assert "R40.2" not in third


def test_excludes1_notes_hold_for_all_codes_below_them(guidelines: Guidelines) -> None:
    code_set = guidelines.code_set
    assert excludes("E11.65", "E10.9", code_set)
    assert excludes("R52", "R10.9", code_set)
    assert not excludes("R10.9", "R52", code_set)
    assert not excludes("I10", "E11.9", code_set)


def test_chronic_conditions_are_those_of_the_longest_beginning(coder: Coder) -> None:
    chronic = coder.reader.chronic
    assert "M10.9" in chronic
    assert "I82.501" in chronic
    assert "I82.401" not in chronic
    assert "K35.80" not in chronic


async def test_history_and_family_codes_are_answered_with_their_words(coder: Coder) -> None:
    text = "History of DVT. Mother had breast cancer. No pneumonia."
    answer = await coded(coder, text)
    found = {code.code: code for code in answer.codes if code.origin == "guideline"}
    assert found.keys() == {"Z86.718", "Z80.3"}
    assert all(code.selected and code.billable and code.score >= answer.threshold for code in found.values())
    assert [text[span.start : span.end] for span in found["Z86.718"].spans] == ["History of", "DVT"]
    assert found["Z86.718"].temporality == notes_pb2.TEMPORALITY_HISTORICAL
    assert found["Z80.3"].experiencer == notes_pb2.EXPERIENCER_FAMILY
    assert not [code.code for code in answer.codes if code.selected and code.code[:3] in {"I82", "C50", "J18"}]


async def test_a_code_that_may_not_stand_beside_another_says_so(coder: Coder) -> None:
    answer = await coded(coder, "Acute kidney failure with dialysis. Kidney failure.")
    code = next(code for code in answer.codes if code.withheld == "excludes1")
    assert (code.code, code.excluded_by, code.selected) == ("N19", "N17.9", False)
    assert code.rationale.endswith("not selected: not beside N17.9 (Excludes1)")
    assert code.score >= answer.threshold  # what coders do, and not what is coded


def test_a_guess_from_the_words_of_other_codes_is_not_coded(coder: Coder, guidelines: Guidelines) -> None:
    note = read_note("Hepatitis B and fatigue.", coder.reader)
    named, guess = Candidate("B19.10", spans=((0, 11),)), Candidate("B20", spans=((0, 11),), guessed=True)
    ruling = apply_guidelines([named, guess], note.mentions, note.document, guidelines)
    assert {code: (one.reason, one.by) for code, one in ruling.withheld.items()} == {"B20": ("borrowed", "B19.10")}
    beside = Candidate("B20", spans=((0, 11), (12, 23)), guessed=True)
    assert not apply_guidelines([named, beside], note.mentions, note.document, guidelines).withheld


def test_of_with_and_without_the_one_that_is_said_in_words_stands(coder: Coder, guidelines: Guidelines) -> None:
    without = read_note("Alcoholic cirrhosis of liver without ascites.", coder.reader)
    suggested = [Candidate("K70.30"), Candidate("K70.31", guessed=True, spans=((0, 44),))]
    ruling = apply_guidelines(suggested, without.mentions, without.document, guidelines)
    assert ruling.withheld.keys() == {"K70.31"}
    both = read_note("Type 2 diabetes. Type 2 diabetes with diabetic polyneuropathy.", coder.reader)
    candidates = [Candidate(code) for code in dict.fromkeys(read.mention.code for read in both.mentions)]
    ruling = apply_guidelines(candidates, both.mentions, both.document, guidelines)
    assert {code: one.by for code, one in ruling.withheld.items()} == {"E11.9": "E11.42"}


def test_a_past_condition_names_the_history_code_that_stands_instead(coder: Coder, guidelines: Guidelines) -> None:
    ruling, _codes = ruled("History of stroke.", coder, guidelines)
    assert (ruling.withheld["I63.9"].reason, ruling.withheld["I63.9"].by) == ("past", "Z86.73")
