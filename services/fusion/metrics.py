from prometheus_client import Counter, Gauge

INPUTS = Counter(
    "vigil_fusion_inputs_total", "Messages taken in, by kind; repeats change nothing.", ["kind", "outcome"]
)
RISKS = Counter("vigil_fusion_risks_total", "Risks published, by NEWS2 band.", ["band"])
PARTIAL = Counter("vigil_fusion_partial_scores_total", "Scores with something missing, by score.", ["score"])
SYNDROMES = Counter("vigil_fusion_syndromes_total", "Risks that state a syndrome.", ["syndrome"])
CRITICAL_FINDINGS = Counter("vigil_fusion_critical_findings_total", "Risks that state a critical finding.", ["finding"])
PATIENTS = Gauge("vigil_fusion_patients", "Patients in the table.")
