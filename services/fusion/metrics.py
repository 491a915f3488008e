from prometheus_client import Counter, Gauge, Histogram

INPUTS = Counter(
    "vigil_fusion_inputs_total", "Messages taken in, by kind; repeats change nothing.", ["kind", "outcome"]
)
RISKS = Counter("vigil_fusion_risks_total", "Risks published, by NEWS2 band.", ["band"])
PARTIAL = Counter("vigil_fusion_partial_scores_total", "Scores with something missing, by score.", ["score"])
SYNDROMES = Counter("vigil_fusion_syndromes_total", "Risks that state a syndrome.", ["syndrome"])
CRITICAL_FINDINGS = Counter("vigil_fusion_critical_findings_total", "Risks that state a critical finding.", ["finding"])
PATIENTS = Gauge("vigil_fusion_patients", "Patients in the table.")
ESTIMATES = Counter(
    "vigil_fusion_estimates_total",
    "Estimates of the models, answered, abstained or degraded; of live patients and of stays that were sent whole.",
    ["source", "risk", "outcome"],
)
ABSTENTIONS = Counter(
    "vigil_fusion_abstentions_total", "Estimates that a model abstained from, by reason.", ["source", "risk", "reason"]
)
ALARMS = Counter("vigil_fusion_alarms_total", "Estimates from the operating point on.", ["source", "risk"])
SCORE_SECONDS = Histogram(
    "vigil_fusion_score_seconds",
    "One patient's rows, drivers and messages for both models, without the time of Triton.",
    ["source"],
    buckets=(0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1),
)
SCORE_STABILITY = Gauge(
    "vigil_fusion_score_stability_ratio",
    "Population stability index of the newest live probabilities against training; over 0.25 another population.",
    ["risk"],
)
FEATURE_STABILITY = Gauge(
    "vigil_fusion_feature_stability_ratio",
    "The same of what a model reads: newest values, their ages, and how many there are of a day.",
    ["risk", "feature"],
)
