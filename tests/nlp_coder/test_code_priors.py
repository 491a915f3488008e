from services.nlp_coder.code_priors import BEGINNING, OF_CODE, of_code


def columns(code: str, hits: dict[str, tuple[int, int]]) -> dict[str, float]:
    return dict(zip(OF_CODE, of_code(code, hits), strict=True))


def test_a_code_that_training_never_named_takes_after_its_category_block_and_chapter() -> None:
    hits = {f"{BEGINNING}J18": (8, 9), f"{BEGINNING}J1": (9, 20), f"{BEGINNING}J": (30, 90)}
    found = columns("J18.1", hits)
    assert found["category_precision_logit"] > found["block_precision_logit"] > found["chapter_precision_logit"]
    assert found["category_seen"] == 9
    sibling = columns("J17.0", hits)
    assert sibling["block_precision_logit"] == found["block_precision_logit"]
    assert sibling["category_precision_logit"] < 0
    assert sibling["category_seen"] == 0


def test_nothing_is_claimed_of_a_chapter_that_training_never_named() -> None:
    odds = [value for name, value in columns("U07.1", {}).items() if name.endswith("_logit")]
    assert len(set(odds)) == 1
