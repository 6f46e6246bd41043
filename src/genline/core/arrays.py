"""The kinds of arrays that functions say they take and give; shapes stand in their docstrings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]  # token ids, counts and places
