"""F1 of "absent" and sentences a second on the challenge sentences, beside medspaCy and negspacy.

Each sentence is read whole (words, sections, sentences, triggers) and one given mention asserted, in one process;
process time, best of the rounds, so that what else the machine does counts for nobody. The peers run right after, on
the same sentences, in an environment of their own:

    uv venv --python 3.11 /tmp/peers
    uv pip install --python /tmp/peers/bin/python medspacy==1.3.1 negspacy==1.0.4 numpy==1.26.4
    python -m bench.assertion --peers /tmp/peers/bin/python
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.nlp_coder.document import load_grammar, read

TABLES = Path(__file__).parents[1] / "tests" / "nlp_coder" / "assertion"
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence with the mention at characters `start` to `end` and how it reads."""

    text: str
    start: int
    end: int
    status: str
    temporality: str
    experiencer: str
    phenomenon: str


def examples(path: Path) -> list[Example]:
    """Rows of a challenge table; the mention is the first whole-word occurrence of its concept."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            sentence, concept, *reading = line.split("\t")
            text = sentence.replace("\\n", "\n").replace("\\t", "\t")
            match = re.search(rf"(?<![A-Za-z0-9]){re.escape(concept)}(?![A-Za-z0-9])", text)
            if match is None:
                raise ValueError(f"{path.name}: {concept!r} is not in {text!r}")
            found.append(Example(text, match.start(), match.end(), *reading))
    return found


def f1_of(gold: Sequence[str], said: Sequence[str], label: str) -> float:
    """F1 of one label; 1 where nobody uses it."""
    counts = Counter((one == label, other == label) for one, other in zip(gold, said, strict=True))
    wrong = counts[True, False] + counts[False, True]
    hit = 2 * counts[True, True]
    return hit / (hit + wrong) if hit + wrong else 1.0


def _ours(asked: Sequence[Example]) -> tuple[list[str], float]:
    grammar = load_grammar()
    best, statuses = float("inf"), []
    for _ in range(ROUNDS):
        started = time.process_time()
        statuses = [read(one.text, grammar).reading_of_span(one.start, one.end).status for one in asked]
        best = min(best, time.process_time() - started)
    return list(statuses), len(asked) / best


def main() -> None:
    parser = argparse.ArgumentParser(description="F1 and speed of assertion.")
    parser.add_argument("--peers", type=Path, help="a Python that has medspacy and negspacy")
    chosen = parser.parse_args()
    tables = {path.stem: examples(path) for path in sorted(TABLES.glob("*.tsv"))}
    asked = [one for table in tables.values() for one in table]
    statuses, per_second = _ours(asked)
    answers = {"vigil": (["absent" if status == "absent" else "" for status in statuses], per_second)}
    if chosen.peers:
        mentions = [(one.text, one.start, one.end) for one in asked]
        done = subprocess.run(  # noqa: S603 - the interpreter that the caller names
            [chosen.peers, Path(__file__).with_name("assertion_peers.py")],
            input=json.dumps({"mentions": mentions, "rounds": 3}),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"The peers failed: {done.stderr.strip().splitlines()[-1]}")
        for name, peer in json.loads(done.stdout).items():
            answers[name] = (["absent" if absent else "" for absent in peer["absent"]], peer["per_second"])
    words = sum(len(one.text.split()) for one in asked) / len(asked)
    print(f"{len(asked)} mentions, {words:.1f} words a sentence; F1 of absent by table, sentences a second")
    for name, (said, speed) in answers.items():
        cells, position = [], 0
        for stem, table in tables.items():
            gold = [one.status for one in table]
            cells.append(f"{stem} {f1_of(gold, said[position : position + len(table)], 'absent'):.3f}")
            position += len(table)
        print(f"{name:18} {'  '.join(cells)}  {speed:,.0f}/s")


if __name__ == "__main__":
    main()
