"""Compare the families: `python -m bench.compare_coders [--from scratch] [--only FAMILY ...]`.

From predictions, the default, it reads the committed rankings and writes the tables and the figure of docs/coders.md
in seconds. From scratch it first trains the families anew, which takes about half an hour of one core. The rankings
of our own coder are written by `make train MODEL=icd_coder`.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from importlib.util import find_spec

from bench.compare_coders import scratch
from bench.compare_coders.notes import load
from bench.compare_coders.page import FIGURE, write_page
from bench.compare_coders.results import OURS, compared

MODULES = {
    "rules": "rules",
    "logistic": "bag_of_words",
    "tfidf": "tf_idf",
    "xgboost": "boosted",
    "transformer": "transformer",
    OURS: "ours",
}


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="bench.compare_coders", description=__doc__)
    parser.add_argument("--from", dest="origin", choices=["predictions", "scratch"], default="predictions")
    parser.add_argument(
        "--only", nargs="+", choices=list(MODULES), default=list(MODULES), help="families to train anew"
    )
    options = parser.parse_args()
    if options.origin == "scratch":
        train_again(options.only)
    results = compared(load())
    write_page(results)
    if find_spec("matplotlib") is None:
        print("docs/coders.png stays as it was: matplotlib is not installed (uv sync --extra figures)")
        return
    from bench.compare_coders.figure import draw

    draw(results, FIGURE)


def train_again(families: list[str]) -> None:
    """Train these families; each needs only its own libraries."""
    notes = load()
    for name in families:
        module = import_module(f"bench.compare_coders.{MODULES[name]}")
        if name == OURS:
            module.measure(notes)
        else:
            scratch.train(module.FAMILY, notes)


if __name__ == "__main__":
    main()
