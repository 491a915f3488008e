import pytest

from services.nlp_coder.language import load_languages, reason_not_to_read

LANGUAGES = load_languages()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("El paciente refiere dolor torácico desde hace dos días.", "not in English: es"),
        ("Douleur thoracique depuis deux jours", "not in English: fr"),
        ("Patient klagt über Brustschmerzen seit zwei Tagen", "not in English: de"),
        ("Paziente con dolore toracico da due giorni", "not in English: it"),
        ("患者は胸痛を訴えている", "not in English: another script"),
        ("Пациент жалуется на боль в груди", "not in English: another script"),
        ("\x00\x01\x02\x80\x81abc\ufffd\ufffd", "not human text"),
        ("QUJD" * 200, "not human text"),
    ],
)
def test_other_languages_and_rubbish_are_named(text: str, reason: str) -> None:
    assert reason_not_to_read(text, "", LANGUAGES) == reason


@pytest.mark.parametrize(
    "text",
    [
        "Pt c/o CP, SOB x2d. Hx HTN, DM2, COPD.",
        "O2 via NC, A&O x 3, no c/o pain",
        "pneumothorax",
        "BP 120/80 HR 72 μg",
        "",
        "  \n",
        "Inclusion criteria: adults with type 2 diabetes",
        "Ménière's disease, naïve to treatment 🫁",
    ],
)
def test_english_is_always_read(text: str) -> None:
    assert reason_not_to_read(text, "", LANGUAGES) == ""


def test_a_wrongly_stated_language_does_not_hide_english() -> None:
    assert reason_not_to_read("The patient has chest pain and fever.", "es", LANGUAGES) == ""


def test_a_stated_language_settles_a_short_text() -> None:
    assert reason_not_to_read("Dolor del pecho", "es-ES", LANGUAGES) == "not in English: es"
