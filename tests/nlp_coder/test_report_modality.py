import pytest

from services.nlp_coder.document import read
from services.nlp_coder.handlers import Coder, code_note
from services.nlp_coder.report_modality import modality_of
from tests.nlp_coder.fakes import note_received


@pytest.mark.parametrize(
    ("text", "modality"),
    [
        ("CHEST RADIOGRAPH, PA AND LATERAL\nFINDINGS: Clear lungs.", "radiograph"),
        ("EXAM: CHEST (PORTABLE AP)\nCOMPARISON: CT chest of May.\nFINDINGS: Small left effusion.", "radiograph"),
        ("INDICATION: effusion on chest x-ray\nTECHNIQUE: Axial CT images.\nFINDINGS: Effusion.", "CT"),
        ("MRI BRAIN\nFindings: mass.", "MR"),
        ("COMPARISON: MRI brain\nFINDINGS: No hydrocephalus.", ""),
        ("FINDINGS: Two views of the chest show clear lungs.", "radiograph"),
        ("FINDINGS: Right pneumothorax.\nIMPRESSION: Pneumothorax. CT is advised.", ""),
        ("Renal ultrasound: normal kidneys.", "US"),
        ("Lungs are clear. Direct correlation is advised.", ""),
    ],
)
def test_title_technique_or_first_words_tell_how_images_were_made(coder: Coder, text: str, modality: str) -> None:
    assert modality_of(read(text, coder.reader.grammar)) == modality


async def test_a_report_carries_its_study_and_other_notes_no_modality(coder: Coder) -> None:
    report = note_received("CXR: right lower lobe pneumonia.", kind="radiology", accession_key="a" * 32)
    answer = await code_note(report, coder)
    assert (answer.report_modality, answer.accession_key) == ("radiograph", "a" * 32)
    other = await code_note(note_received("CT showed a mass. Fever.", kind="nursing"), coder)
    assert other.report_modality == ""
