from bench.vision import SENT, Figures, table
from services.image_router.scope import DECLARED


def test_the_table_gives_rates_shares_and_what_stayed_unread() -> None:
    said = table({"cxr_findings": Figures([0.1] * 3, [0.05] * 3, 40, 2.0, 1.6, 1.2, 0.8, 1)})
    assert "image-router, from file to findings                100.0    100.0" in said
    assert "40 images: 20.0 a second 8 at a time, 25.0 a second bare." in said
    assert "image-router 30.0 ms, Triton 20.0 ms; together 1.25 times" in said
    assert "Without findings: 1 images." in said


def test_every_measured_model_names_findings() -> None:
    assert set(SENT) <= set(DECLARED)
