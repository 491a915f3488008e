from services.fusion.deterioration.consciousness import gcs_of
from services.note_ingest.catalogue import KNOWN_WORDS


def test_every_word_that_the_edge_keeps_has_points() -> None:
    points = [gcs_of(word) for word in KNOWN_WORDS["avpu"]]
    assert points == [15, 14, 13, 8, 3]


def test_other_words_have_none() -> None:
    assert gcs_of("sleepy") is None
