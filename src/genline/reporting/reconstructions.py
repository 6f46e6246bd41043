"""How much of a sentence is left in what a model writes from its latent code alone."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from genline.data.words import UNSPACED, unspaced_share

# Shorter ones are mostly the grammar's, not the content's; where no spaces part words, each
# character stands for one.
_WORD = re.compile(rf"[^\W\d_{UNSPACED}]{{4,}}|[{UNSPACED}]")
_Z95 = 1.959963984540054
# Shares of the words kept from which more than the phrase before is said.
_PHRASES = ((0.0, "little"), (1 / 3, "part"), (2 / 3, "most"))


@dataclass(frozen=True)
class Kept:
    """Shares are of the long words of all originals together, each counted once a sentence."""

    count: int  # sentences
    exact: int  # of them, those that come back word for word
    share: float  # words that stand in the sentence's own reconstruction
    low: float  # its 95 % interval, over sentences
    high: float
    chance: float  # words that stand in another sentence's reconstruction, on average
    unspaced: bool = False  # whether words are mostly characters of scripts without spaces

    @property
    def phrase(self) -> str:
        """``little``, ``part`` or ``most`` of the content, or ``nothing`` beyond chance."""
        if self.low <= self.chance:
            return "nothing, beyond chance,"
        return [words for least, words in _PHRASES if self.share >= least][-1]

    @property
    def sentence(self) -> str:
        """The figures, for a reader."""
        exact = "none comes" if not self.exact else f"{self.exact:,} come"
        exact = "1 comes" if self.exact == 1 else exact
        words = "characters" if self.unspaced else "words of four letters or more"
        return (
            f"Of {self.count:,} test sentences {exact} back word for word, and "
            f"{100 * self.share:.0f} % of the {words} "
            f"({100 * self.low:.0f} to {100 * self.high:.0f} %) come back; by chance, in the "
            f"reconstruction of another sentence, {100 * self.chance:.0f} % do."
        )


def kept(pairs: Sequence[tuple[str, str]]) -> Kept | None:
    """What the reconstructions in (original, reconstruction) ``pairs`` keep of the originals.

    None for fewer than two pairs, or originals without a long word. The interval is that of a
    ratio of sums by linearisation (Cochran, Sampling Techniques, 1977, §6.3).
    """
    before = [_words(original) for original, _ in pairs]
    after = [_words(made) for _, made in pairs]
    total, count = sum(map(len, before)), len(pairs)
    if count < 2 or not total:
        return None
    own = [len(b & a) for b, a in zip(before, after, strict=True)]
    share = sum(own) / total
    residuals = (k - share * len(b) for k, b in zip(own, before, strict=True))
    variance = count / (count - 1) * sum(r * r for r in residuals)
    half = _Z95 * math.sqrt(variance) / total
    every = sum(len(b & a) for b in before for a in after)
    return Kept(
        count=count,
        exact=sum(original == made for original, made in pairs),
        share=share,
        low=max(0.0, share - half),
        high=min(1.0, share + half),
        chance=(every - sum(own)) / ((count - 1) * total),
        unspaced=unspaced_share("".join(original for original, _ in pairs)) > 1 / 2,
    )


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
