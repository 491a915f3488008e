"""Metrics of nlp-coder."""

from functools import cache

from prometheus_client import Counter, Histogram

NOTES = Counter("vigil_nlp_coder_notes_total", "Notes read, by outcome.", ["outcome"])
CODES = Counter("vigil_nlp_coder_codes_total", "Codes selected, by origin.", ["origin"])
notes, codes = cache(NOTES.labels), cache(CODES.labels)
READ_SECONDS = Histogram(
    "vigil_nlp_coder_read_seconds",
    "Processor time until a note's words, mentions and model input stand; ranking and audit come after.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)
NOTE_CHARACTERS = Histogram(
    "vigil_nlp_coder_note_characters", "Length of notes.", buckets=(100, 300, 1000, 3000, 10000, 30000, 100000, 1000000)
)
NOTE_WINDOWS = Histogram(
    "vigil_nlp_coder_note_windows", "Windows that notes are read in by the model.", buckets=(0, 1, 2, 4, 8, 32, 128)
)
MODEL_BATCH_ROWS = Histogram(
    "vigil_nlp_coder_model_batch_rows", "Windows in one inference.", buckets=(1, 2, 4, 8, 16, 32)
)
