"""How often a text of the training data is not read, for its language: `python -m bench.text.languages`."""

import gzip
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from services.common.settings import REPOSITORY
from services.nlp_coder.language import load_languages, reason_not_to_read
from services.nlp_coder.reading import load_reader

SETS = ("mtsamples/notes", "aci_bench/train", "codiesp/train", "chia/train", "maccrobat/train", "mts_dialog/train",
        "ncbi_disease/train", "bc5cdr/train_dev")  # fmt: skip
SPANISH = "text_es"
_PIECES = re.compile(r"(?<=[.,]) |\n")
_FEWEST_WORDS = 5


def main() -> None:
    """One line a set: whole texts, and their pieces between commas, full stops and line ends."""
    data = Path(os.environ.get("VIGIL_TRAINING_DATA", REPOSITORY.parent / "shared" / "data"))
    reader = load_reader()
    languages = load_languages(word for words, _term in reader.dictionary.phrases() for word in words)

    def abstained(texts: list[str]) -> str:
        return f"{sum(bool(reason_not_to_read(text, '', languages)) for text in texts)} of {len(texts)}"

    for name in SETS:
        texts = list(_texts(data / f"{name}.jsonl.gz", "text"))
        pieces = [piece for text in texts for piece in _PIECES.split(text) if piece.strip()]
        print(f"{name}: not read {abstained(texts)} texts, {abstained(pieces)} pieces")
    spanish = list(_texts(data / "codiesp" / "train.jsonl.gz", SPANISH))
    sentences = [piece for text in spanish for piece in re.split(r"(?<=\.) |\n", text)]
    long = [sentence for sentence in sentences if len(sentence.split()) >= _FEWEST_WORDS]
    print(f"Spanish: not read {abstained(spanish)} texts, {abstained(long)} sentences of five words and more")


def _texts(path: Path, field: str) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            yield entry[field] if field in entry else entry["note"]


if __name__ == "__main__":
    main()
