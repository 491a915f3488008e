"""Which kind of note a text is, and what follows from it."""

import pytest

from services.nlp_coder.data_files import rows
from services.nlp_coder.document import load_grammar, read
from services.nlp_coder.handlers import Coder
from services.nlp_coder.note_kind import kind_of, load_kind_cues
from services.note_ingest.grpc_notes import KINDS
from tests.nlp_coder.fakes import coded


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("DISCHARGE SUMMARY\nJohn was admitted with pneumonia.", "discharge"),
        ("ADMITTED: 1 May\nDISCHARGE DIAGNOSIS: Pneumonia.\nHOSPITAL COURSE: He improved.", "discharge"),
        ("Emergency Department Note\n\nChest pain since this morning.", "emergency"),
        ("CHIEF COMPLAINT: Chest pain.\nED COURSE: Troponin negative, pain free.", "emergency"),
        ("This 40-year-old man presents to the emergency department with chest pain.", "emergency"),
        ("PREOPERATIVE DIAGNOSIS: Hernia.\nPROCEDURE PERFORMED: Repair.\nANESTHESIA: General.", "operative"),
        ("TECHNIQUE: CT without contrast.\nCOMPARISON: None.\nFINDINGS: Normal.\nIMPRESSION: Normal.", "radiology"),
        ("Nursing note 0600: slept well, call bell in reach.", "nursing"),
        ("Resting comfortably, call bell in reach, will continue to monitor.", "nursing"),
        ("PROGRESS NOTE, hospital day 3\nAfebrile overnight.", "progress"),
        ("REASON FOR CONSULTATION: Atrial fibrillation.\nThank you for this consultation.", "consult"),
        ("HISTORY AND PHYSICAL\nCHIEF COMPLAINT: Cough.", "history_and_physical"),
        ("She comes in today with a sore throat.", "clinic"),
        ("Office Visit\nSore throat for two days.", "clinic"),
        ("GROSS DESCRIPTION: A skin ellipse.\nMICROSCOPIC DESCRIPTION: Nevus.", "pathology"),
        ("Pneumonia, treated with amoxicillin. Hypertension.", ""),
        ("", ""),
        ("She was told in the past that this discharge summary was lost and that nothing could be done about it.", ""),
    ],
)
def test_title_headers_and_wording_tell_the_kind(text: str, kind: str) -> None:
    assert kind_of(read(text, load_grammar()), load_kind_cues()) == kind


def test_the_table_names_kinds_of_the_contract_only() -> None:
    assert {kind for _where, _phrase, kind, _weight, _source in rows("note_kinds.tsv", 5)} <= KINDS - {"other"}


async def test_a_detected_kind_is_said_and_its_rules_hold(coder: Coder) -> None:
    answer = await coded(coder, "Emergency Department Note\nProbable pneumonia. Asthma.", kind="other")
    assert (answer.kind, answer.kind_detected) == ("other", "emergency")
    codes = {code.code: code for code in answer.codes}
    assert codes["J18.9"].withheld == "uncertain"
    assert codes["J45.909"].selected


async def test_what_the_sender_says_goes_before_what_the_text_shows(coder: Coder) -> None:
    answer = await coded(coder, "Emergency Department Note\nProbable pneumonia.", kind="discharge")
    assert answer.kind_detected == ""
    assert {code.code for code in answer.codes if code.selected} == {"J18.9"}
