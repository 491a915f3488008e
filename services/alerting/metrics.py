"""Metrics of alerting."""

from prometheus_client import Counter, Gauge, Histogram

from services.common.metrics import SECONDS

END_TO_END = Histogram(
    "vigil_end_to_end_latency_seconds",
    "From the sender's first byte to the alert in Kafka, for alerts that a new input raised or changed.",
    buckets=SECONDS,
)
RISKS = Counter("vigil_alerting_risks_total", "Risks taken in, by whether they changed an alert.", ["outcome"])
ALERT_CHANGES = Counter("vigil_alerting_alert_changes_total", "Alert revisions published.", ["state", "severity"])
COMMANDS = Counter("vigil_alerting_commands_total", "Commands of people applied.", ["kind"])
STREAMS = Gauge("vigil_alerting_streams", "Clients that follow a stream now.", ["stream"])
EVIDENCE = Counter("vigil_alerting_evidence_total", "Evidence asked for, by kind and outcome.", ["kind", "outcome"])
