import pytest

from bench.vision import PICTURES, SENT, Figures, Round, table
from services.image_router.scope import DECLARED

FIGURES = Figures(
    service_s=[0.1] * 3,
    bare_s=[0.05] * 3,
    triton_share=0.7,
    rounds=[Round(20.0, 22.0, 10.0), Round(10.0, 20.0, 5.0), Round(25.0, 25.0, 10.0)],
    router_ms=30.0,
    triton_ms=20.0,
    bare_ms=40.0,
    inferred=0.8,
    alone={1: 24.0, 8: 26.0},
    unread=1,
    differing=0,
)


def test_overhead_is_the_median_of_rounds_that_took_turns() -> None:
    assert FIGURES.overhead == pytest.approx(0.1)


def test_the_least_overhead_is_tritons_own_beside_what_the_floor_does_around_onnxruntime() -> None:
    assert FIGURES.least_overhead == pytest.approx(0.2 + 22 / 26 - 1)


def test_the_table_gives_rates_shares_and_what_stayed_unread() -> None:
    said = table({"cxr_findings": FIGURES})
    assert "image-router, from file to findings                100.0    100.0" in said
    assert "Of the former 70% is waiting for Triton." in said
    assert "Overhead at full load: 10% (rounds 0% to 100%; goal 15%)." in said
    assert "image-router 30.0, Triton 20.0; floor 40.0." in said
    assert "24.0 by 8 calls of one, 26.0 by calls of 8." in said
    assert "Without findings: 1 images; other findings than the floor's: 0 of single ones." in said


def test_every_measured_model_names_findings_and_has_pictures() -> None:
    assert set(SENT) <= set(DECLARED)
    assert all(list(PICTURES.glob(pattern)) for pattern in SENT.values())
