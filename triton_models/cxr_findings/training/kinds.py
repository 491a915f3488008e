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
from foreign import shares_in_scope  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from services.image_router.preprocessing import model_input  # noqa: E402

COUNT, SEED = 40, 7


def main() -> None:
    """All kinds. The films that are turned, inverted and cropped are of adults, some of whom the check has seen."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = onnxruntime.InferenceSession(str(HERE.parent / "1" / "model.onnx"), options)
    side = model.get_inputs()[0].shape[-1]

    def accepted(shown: list[NDArray[np.float32]]) -> NDArray[np.bool_]:
        tensors = (model_input(np.ascontiguousarray(grey), side)[None] for grey in shown)
        distances = [model.run(["scope_distance"], {"image": tensor})[0].item() for tensor in tensors]
        return np.array(distances) <= 1

    shares = shares_in_scope("chest_film", [film.grey for film in adult_films()], accepted, COUNT, SEED)
    (HERE.parent / "kinds.json").write_text(json.dumps({"pictures": COUNT, "kinds": shares}, indent=1) + "\n")
    write_tables(HERE.parent)


if __name__ == "__main__":
    main()
