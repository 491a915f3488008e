"""`brain_mri_segmentation` is the outline of the network of `brain_mri_tumour`: one training makes both."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "brain_mri_tumour" / "training"))

import runpy

runpy.run_path(str(Path(sys.path[0]) / "train.py"), run_name="__main__")
