"""Few labels: `python -m bench.few_labels [--from scratch]`.

From the committed answers, the default, it writes the tables and the figure of docs/few-labels.md in seconds. From
scratch it first trains the whole grid; an ended run goes on where it was.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from bench.few_labels.page import FIGURE, write_page
from bench.few_labels.results import points, read


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="bench.few_labels", description=__doc__)
    parser.add_argument("--from", dest="origin", choices=["committed", "scratch"], default="committed")
    if parser.parse_args().origin == "scratch":
        from bench.few_labels import grid

        grid.run()
        grid.keep()
    found = points(*read())
    write_page(found)
    if find_spec("matplotlib") is None:
        print("docs/few-labels.png stays as it was: matplotlib is not installed (uv sync --extra figures)")
        return
    from bench.few_labels.figure import draw

    draw(found, FIGURE)


if __name__ == "__main__":
    main()
