"""Where the output layer of a language model starts: at the frequencies of the words."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genline.data.prepared import EOS, TextSplit


@torch.no_grad()
def start_at_frequencies(bias: Tensor, texts: TextSplit) -> None:
    """Set an output bias (vocabulary,) to ln of each token's share of ``texts``, end marks counted.

    It saves the steps that would learn them. A tenth of an occurrence is added to each token, so
    that one never seen stays possible.
    """
    counts = np.bincount(np.asarray(texts.tokens, np.int64), minlength=len(bias)) + 0.1
    counts[EOS] += len(texts)
    bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
