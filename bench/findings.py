"""F1 of report findings on the challenge tables, beside a plain baseline.

    python -m bench.findings                                     # ours, and keywords with a window of negation
    python -m bench.findings --silver /tmp/radlabels/bin/python  # and agreement with the 1,000 reports of radlabels

The challenge tables are in tests/nlp_coder/findings. Reports of MTSamples are read where the training data are. The
silver labels are of an environment of their own:

    uv venv --python 3.11 /tmp/radlabels
    uv pip install --python /tmp/radlabels/bin/python --no-deps radlabels==0.2.0

A pair of label and status that a row of the table gives and we do not (or the other way round) is wrong. no_finding,
which follows from the rest, has a column of its own and counts in no mean.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.findings_keywords import keyword_statuses
from services.common.settings import REPOSITORY
from services.nlp_coder.document import load_grammar, read
from services.nlp_coder.findings import BROADER, Finding, findings_of, is_report
from services.nlp_coder.report_terms import load_report_terms

TABLES = REPOSITORY / "tests" / "nlp_coder" / "findings"
CHALLENGE = ("challenge.tsv", "fresh.tsv")
DATA = Path(os.environ.get("VIGIL_TRAINING_DATA", REPOSITORY.parent / "shared" / "data"))
ROUNDS = 7
RADIOLOGY = "radiology"
_MEASURE_BLANKS = 3  # of "30 mm above aortic_arch", written with underscores in the tables
NO_FINDING = "no_finding"
_SIGNS = {"+": "positive", "?": "uncertain", "-": "negative"}
_STRENGTH = ("negative", "uncertain", "positive")
Statuses = Mapping[str, str]
Reader = Callable[[str], Statuses]


@dataclass(frozen=True, slots=True)
class Row:
    """A report with the status of each label that it speaks of.

    details: of each label in it all (name, value) that the text says; labels that are not in it are not asked.
    """

    text: str
    statuses: Statuses
    details: Mapping[str, frozenset[tuple[str, str]]]
    phenomenon: str


def challenge_rows(path: Path) -> list[Row]:
    """Rows of a challenge table, with the labels that follow from those it names."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            text, findings, details, phenomenon = line.split("\t")
            found.append(Row(text.replace("\\n", "\n"), _statuses(findings), _details(details), phenomenon))
    return found


def mtsamples_rows() -> list[Row]:
    """Our labels of reports of MTSamples, with their texts; none where the training data are not here."""
    path = DATA / "mtsamples" / "notes.jsonl.gz"
    if not path.is_file():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = {note["id"]: note["text"] for note in map(json.loads, lines)}
    return _labelled("mtsamples.tsv", texts)


def _labelled(table: str, texts: Mapping[str, str]) -> list[Row]:
    lines = (TABLES / table).read_text(encoding="utf-8").splitlines()
    labelled = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [Row(texts[name], _statuses(findings), {}, name) for name, findings in labelled]


def _statuses(cell: str) -> Statuses:
    found: dict[str, str] = {}
    for sign, label in ((one[0], one[1:]) for one in cell.split()):
        for name in (label, *([BROADER[label]] if label in BROADER else [])):
            found[name] = max(found.get(name, _STRENGTH[0]), _SIGNS[sign], key=_STRENGTH.index)
    open_labels = {label for label, status in found.items() if status != "negative"} - {"support_devices", NO_FINDING}
    if open_labels:
        found.pop(NO_FINDING, None)
    elif found:
        found[NO_FINDING] = "positive"
    return found


def _details(cell: str) -> Mapping[str, frozenset[tuple[str, str]]]:
    found = {}
    for part in cell.split(";") if cell else ():
        label, *named = part.split()
        pairs = [one.partition("=") for one in named]
        found[label] = frozenset(
            (name, value.replace("_", " ", _MEASURE_BLANKS) if value[0].isdigit() else value)
            for name, _equals, values in pairs
            for value in values.split(",")
        )
    return found


@dataclass(frozen=True, slots=True)
class Tally:
    """Pairs that were right, wrongly said, and missed."""

    hit: int
    said: int
    missed: int

    @property
    def f1(self) -> float:
        """1 where nothing is to say and nothing is said."""
        wrong = self.said + self.missed
        return 2 * self.hit / (2 * self.hit + wrong) if self.hit + wrong else 1.0


def tally(gold: Iterable[object], said: Iterable[object]) -> Tally:
    """Compare two bags."""
    wanted, answered = Counter(gold), Counter(said)
    hit = (wanted & answered).total()
    return Tally(hit, answered.total() - hit, wanted.total() - hit)


def pairs(answers: Sequence[Statuses]) -> list[tuple[int, str, str]]:
    """(row, label, status) of all labels but no_finding."""
    return [
        (row, label, status)
        for row, statuses in enumerate(answers)
        for label, status in statuses.items()
        if label != NO_FINDING
    ]


def details_said(findings: Sequence[Finding]) -> Mapping[str, frozenset[tuple[str, str]]]:
    """Of each label all (name, value) that the mentions say which decided it."""
    return {
        finding.label: frozenset(
            (detail.name, detail.value)
            for mention in finding.mentions
            if mention.status == finding.status
            for detail in mention.details
        )
        for finding in findings
    }


def read_findings(text: str) -> list[Finding]:
    """The findings of a text that is known to be a radiology report."""
    return findings_of(read(text, load_grammar()), load_report_terms(), RADIOLOGY)


def our_statuses(text: str) -> Statuses:
    """The status of each label."""
    return {finding.label: finding.status for finding in read_findings(text)}


def micro_f1(rows: Sequence[Row], answers: Sequence[Statuses]) -> float:
    """F1 of (label, status) pairs of all labels together, no_finding left out."""
    return tally(pairs([row.statuses for row in rows]), pairs(answers)).f1


def details_f1(rows: Sequence[Row]) -> float:
    """F1 of (label, name, value) of the labels whose details a table gives."""
    wanted, said = [], []
    for number, row in enumerate(rows):
        ours = details_said(read_findings(row.text)) if row.details else {}
        wanted += [(number, label, detail) for label, details in row.details.items() for detail in details]
        said += [(number, label, detail) for label in row.details for detail in ours.get(label, ())]
    return tally(wanted, said).f1


def _print_scores(name: str, rows: Sequence[Row], answers: Sequence[Statuses]) -> None:
    gold, said = pairs([row.statuses for row in rows]), pairs(answers)
    labels = sorted({label for _row, label, _status in gold})
    macro = sum(tally(_only(gold, 1, label), _only(said, 1, label)).f1 for label in labels) / len(labels)
    of_status = [f"{status} {tally(_only(gold, 2, status), _only(said, 2, status)).f1:.3f}" for status in _STRENGTH]
    nothing = tally(
        [number for number, row in enumerate(rows) if NO_FINDING in row.statuses],
        [number for number, one in enumerate(answers) if NO_FINDING in one],
    )
    cells = [f"micro {tally(gold, said).f1:.3f}", f"macro {macro:.3f}", *of_status, f"no_finding {nothing.f1:.3f}"]
    print(f"{name:24} {'  '.join(cells)}")


def _only(found: Sequence[tuple[int, str, str]], column: int, value: str) -> list[tuple[int, str, str]]:
    return [one for one in found if one[column] == value]


def _print_labels(rows: Sequence[Row], readers: Mapping[str, Reader]) -> None:
    gold = pairs([row.statuses for row in rows])
    said = {name: pairs([reader(row.text) for row in rows]) for name, reader in readers.items()}
    print(f"\n{'label':28} {'pairs':>5}  " + "  ".join(f"{name:>8}" for name in readers))
    for label in sorted({label for _row, label, _status in gold}):
        scores = [tally(_only(gold, 1, label), _only(one, 1, label)).f1 for one in said.values()]
        print(f"{label:28} {len(_only(gold, 1, label)):5}  " + "  ".join(f"{score:8.3f}" for score in scores))


# Names of radlabels for ours; a device or a congestion of any kind is one of ours.
_SILVER: Mapping[str, str] = {
    **{
        name: name
        for name in (
            *("pleural_effusion", "pneumothorax", "cardiomegaly", "atelectasis", "pneumonia", "consolidation"),
            *("emphysema", "enlarged_cardiomediastinum", "pleural_thickening", "infiltration"),
        )
    },
    "pulmonary_edema": "edema",
    "pulmonary_congestion_pulmonary_venous_congestion": "edema",
    "fracture_generic": "fracture",
    "lung_nodule_or_mass": "lung_lesion",
    "hiatus_hernia": "hernia",
    "pulmonary_fibrosis": "fibrosis",
    **dict.fromkeys(
        (
            *("endotracheal_tube", "enteric_tube", "central_venous_catheter", "intercostal_drain", "tracheostomy_tube"),
            *("pacemaker_electronic_cardiac_device_or_wires", "support_devices_generic"),
        ),
        "support_devices",
    ),
}
_SILVER_STATUS = {"definitely present": "positive", "uncertain": "uncertain", "definitely absent": "negative"}


def _samples(python: Path) -> Path:
    code = "import importlib.util as u; print(u.find_spec('radlabels').origin)"
    done = subprocess.run(  # noqa: S603 - the interpreter that the caller names
        [python, "-c", code], capture_output=True, text=True, check=True
    )
    return Path(done.stdout.strip()).parent / "samples"


def _silver_texts(samples: Path) -> Mapping[str, str]:
    paths = sorted((samples / "synthetic_reports").glob("*.txt"))
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}


def _silver_rows(samples: Path, texts: Mapping[str, str]) -> Iterator[Row]:
    labels = json.loads((samples / "synthetic_labels.json").read_text(encoding="utf-8"))
    for name, text in texts.items():
        found: dict[str, str] = {}
        for silver, ours in _SILVER.items():
            if silver in labels[name]:
                status = _SILVER_STATUS[labels[name][silver]]
                found[ours] = max(found.get(ours, _STRENGTH[0]), status, key=_STRENGTH.index)
        yield Row(text, found, {}, "looked at" if int(name[-1]) % 2 else "not looked at")


def _print_silver(every: Sequence[Row]) -> None:
    compared = frozenset(_SILVER.values())
    for part in ("looked at", "not looked at"):
        rows = [row for row in every if row.phenomenon == part]
        for name, reader in {"vigil": our_statuses, "keywords": keyword_statuses}.items():
            said = [{label: status for label, status in reader(row.text).items() if label in compared} for row in rows]
            found, gold = ([_present(one) for one in side] for side in (said, [row.statuses for row in rows]))
            agreed = micro_f1(rows, said)
            present = tally(pairs(gold), pairs(found)).f1
            print(f"{name:10} {len(rows)} reports {part}: status {agreed:.3f}, found or not {present:.3f}")


def _present(statuses: Statuses) -> Statuses:
    """Labels that are not denied, as one status: the silver labels hardly know the uncertain."""
    return {label: "positive" for label, status in statuses.items() if status != "negative"}


def _print_speed(rows: Sequence[Row]) -> None:
    grammar, terms = load_grammar(), load_report_terms()
    documents = [read(row.text, grammar) for row in rows]
    words = sum(len(document.words) for document in documents) / len(documents)
    best = skipped = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for document in documents:
            findings_of(document, terms, RADIOLOGY)
        best = min(best, time.process_time() - started)
        started = time.process_time()
        for document in documents:
            is_report("nursing", document)
        skipped = min(skipped, time.process_time() - started)
    a_note, a_skip = (1e3 * seconds / len(documents) for seconds in (best, skipped))
    print(f"\n{a_note:.2f} ms of processor time a report of {words:.0f} words, {a_skip:.4f} ms a note that is none")


def main() -> None:
    parser = argparse.ArgumentParser(description="F1 of report findings.")
    parser.add_argument("--silver", type=Path, help="a Python that has radlabels")
    chosen = parser.parse_args()
    readers: dict[str, Reader] = {"vigil": our_statuses, "keywords": keyword_statuses}
    tables = {name: challenge_rows(TABLES / name) for name in CHALLENGE}
    reports = mtsamples_rows()
    shown = tables | ({"mtsamples.tsv": reports} if reports else {})
    samples = _samples(chosen.silver) if chosen.silver else None
    texts = _silver_texts(samples) if samples else {}
    if texts:
        shown |= {"radlabels.tsv": _labelled("radlabels.tsv", texts)}
    for name, rows in shown.items():
        print(f"{name}: {len(rows)} reports, {len(pairs([row.statuses for row in rows]))} pairs of label and status")
        for reader_name, reader in readers.items():
            _print_scores(reader_name, rows, [reader(row.text) for row in rows])
        if any(row.details for row in rows):
            print(f"details of a finding: F1 {details_f1(rows):.3f}\n")
    every = [row for rows in tables.values() for row in rows]
    _print_labels(every, readers)
    if samples:
        print()
        _print_silver(list(_silver_rows(samples, texts)))
    _print_speed(reports or every)


if __name__ == "__main__":
    main()
