"""What the summary of a ward says."""

from ward.summary import Summary, text

QUANTILES = {"p50": 0.25, "p95": 0.5, "p99": 0.75, "max": 1.0}


def test_the_times_end_to_end_are_said_to_the_risk_and_to_the_alert() -> None:
    stages = {"acknowledged": {}, "risk": QUANTILES, "alert": {name: value * 2 for name, value in QUANTILES.items()}}
    lines = text(Summary((), (), {}, (), 0, stages)).splitlines()
    assert "End to end, first byte to fused risk: p50 0.250 s, p95 0.500 s, p99 0.750 s." in lines
    assert "End to end, first byte to raised alert: p50 0.500 s, p95 1.000 s, p99 1.500 s." in lines


def test_nothing_is_said_of_alerts_where_none_was_raised() -> None:
    assert "raised alert" not in text(Summary((), (), {}, (), 0, {"risk": QUANTILES, "alert": {}}))
