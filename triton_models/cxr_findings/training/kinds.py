"""What the served scope check says of pictures of many kinds, as sent and after each remedy. Writes kinds.json.

`PYTHONPATH=. .venv-train/bin/python triton_models/cxr_findings/training/kinds.py`, after `train.py`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODELS = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parents[2])]
sys.path.append(str(MODELS / "brain_mri_tumour" / "training"))

import numpy as np  # noqa: E402 - after the path
import onnxruntime  # noqa: E402
from card import write_tables  # noqa: E402
from films import adult_films  # noqa: E402
from foreign import foreign_pictures, wrong_way  # noqa: E402

from services.image_router.preprocessing import model_input  # noqa: E402
from services.image_router.upright import AS_SENT, REMEDIES  # noqa: E402

COUNT, SEED = 40, 7


def main() -> None:
    """All kinds. The films that are turned, inverted and cropped are of adults, some of whom the check has seen."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = onnxruntime.InferenceSession(str(HERE.parent / "1" / "model.onnx"), options)
    side = model.get_inputs()[0].shape[-1]
    greys = [film.grey for film in adult_films()]
    some = [greys[i] for i in np.random.default_rng(SEED).permutation(len(greys))[:COUNT]]
    kinds = dict(zip(("inverted", "turned_right", "turned_left", "upside_down"), wrong_way(some), strict=True))
    kinds |= foreign_pictures("chest_film", greys, COUNT, SEED)
    shares = {}
    for kind, found in kinds.items():
        passed = np.zeros((1 + len(REMEDIES), len(found)), bool)
        for at, remedy in enumerate((AS_SENT, *REMEDIES)):
            for row, grey in enumerate(found):
                tensor = model_input(np.ascontiguousarray(remedy.apply(grey)), side)
                passed[at, row] = model.run(["scope_distance"], {"image": tensor[None]})[0].item() <= 1
        shares[kind] = {
            "as_sent": round(float(passed[0].mean()), 4),
            "read": round(float(passed.any(0).mean()), 4),
        }
    (HERE.parent / "kinds.json").write_text(json.dumps({"pictures": COUNT, "kinds": shares}, indent=1) + "\n")
    write_tables(HERE.parent)


if __name__ == "__main__":
    main()
