"""What training and evaluation read: packed, memory-mapped splits of a prepared dataset.

On disk, in ``data/prepared/<dataset>/``:

- ``meta.json``: kind, the :class:`ImageSpec` or :class:`TextSpec`, item counts and digests;
- images: ``<split>_images.npy`` uint8 (n, channels, height, width) grey levels, and
  ``<split>_labels.npy`` int64 (n,) where there are labels;
- texts: ``<split>_tokens.npy`` flat unsigned integers, ``<split>_offsets.npy`` int64 (n + 1,),
  and ``tokenizer.json``. Stored tokens hold no begin, end or padding marks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError, nearest
from genline.core.files import digest_value, read_json

SplitName = Literal["train", "valid", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "valid", "test")

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")


@dataclass(frozen=True)
class ImageSpec:
    """The shape of every image: grey levels are integers in [0, levels)."""

    kind: ClassVar[str] = "image"
    channels: int
    height: int
    width: int
    levels: int
    classes: int  # 0 where there are no labels

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, self.height, self.width)

    @property
    def dimensions(self) -> int:
        return self.channels * self.height * self.width


@dataclass(frozen=True)
class TextSpec:
    """The shape of every text: token ids in [0, vocabulary), at most ``max_tokens`` of them."""

    kind: ClassVar[str] = "text"
    vocabulary: int  # special tokens included
    max_tokens: int  # begin and end marks not counted


@dataclass(frozen=True)
class ImageSplit:
    """images: uint8 (n, channels, height, width); labels: int64 (n,) or None."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class TextSplit:
    """Texts as one flat token array; text i is tokens[offsets[i]:offsets[i + 1]]."""

    tokens: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.int64]:
        """Tokens of one text, int64 (length,), without marks."""
        return np.asarray(self.tokens[self.offsets[index] : self.offsets[index + 1]], np.int64)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens a text, without marks: int64 (n,)."""
        return np.diff(self.offsets)

    def batch(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """int64 (len(indices), longest + 2): BOS, the tokens, EOS, then PAD to the longest."""
        return pad_texts([self[i] for i in indices])


def pad_texts(texts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """int64 (len(texts), longest + 2): each as BOS, its tokens, EOS, PAD…"""
    longest = max((len(t) for t in texts), default=0)
    padded = np.full((len(texts), longest + 2), PAD, np.int64)
    padded[:, 0] = BOS
    for row, text in zip(padded, texts, strict=True):
        row[1 : len(text) + 1] = text
        row[len(text) + 1] = EOS
    return padded


def strip_marks(batch: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """The tokens before each row's first EOS (or its end), without BOS and PAD."""
    texts = []
    for row in batch:
        ends = np.flatnonzero(row == EOS)
        kept = row[: ends[0]] if len(ends) else row
        texts.append(kept[(kept != BOS) & (kept != PAD)])
    return texts


@dataclass(frozen=True)
class PreparedImages:
    folder: Path
    spec: ImageSpec
    meta: dict[str, Any]

    def split(self, name: SplitName) -> ImageSplit:
        images = _array(self.folder / f"{name}_images.npy")
        if images.dtype != np.uint8 or images.shape[1:] != self.spec.shape:
            raise DataError(
                f"{self.folder / f'{name}_images.npy'}: found {images.dtype} {images.shape}, "
                f"expected uint8 (n, {', '.join(map(str, self.spec.shape))}); prepare again"
            )
        path = self.folder / f"{name}_labels.npy"
        return ImageSplit(images, _array(path) if path.exists() else None)

    @property
    def digest(self) -> str:
        """sha256 of the prepared data: of the digests of its arrays and its spec."""
        return digest_value(self.meta)


@dataclass(frozen=True)
class PreparedTexts:
    folder: Path
    spec: TextSpec
    meta: dict[str, Any]

    @property
    def tokenizer_file(self) -> Path:
        return self.folder / "tokenizer.json"

    def split(self, name: SplitName) -> TextSplit:
        tokens = _array(self.folder / f"{name}_tokens.npy")
        return TextSplit(tokens, _array(self.folder / f"{name}_offsets.npy"))

    @property
    def digest(self) -> str:
        """sha256 of the prepared data: of the digests of its arrays and its spec."""
        return digest_value(self.meta)


Spec = ImageSpec | TextSpec
Prepared = PreparedImages | PreparedTexts


def spec_from_json(value: dict[str, Any]) -> Spec:
    """The inverse of :func:`spec_to_json`."""
    fields = dict(value)
    kind = fields.pop("kind")
    if kind == ImageSpec.kind:
        return ImageSpec(**fields)
    if kind == TextSpec.kind:
        return TextSpec(**fields)
    raise DataError(f"unknown kind '{kind}'; {nearest(kind, ('image', 'text'))}")


def spec_to_json(spec: Spec) -> dict[str, Any]:
    return {"kind": spec.kind, **asdict(spec)}


def load_prepared(folder: Path | str) -> Prepared:
    """Open ``data/prepared/<dataset>``. Raises DataError if it is missing or inconsistent."""
    folder = Path(folder)
    meta = read_json(folder / "meta.json")
    spec = spec_from_json(meta["spec"])
    if isinstance(spec, ImageSpec):
        return PreparedImages(folder, spec, meta)
    return PreparedTexts(folder, spec, meta)


def load_images(folder: Path | str) -> PreparedImages:
    data = load_prepared(folder)
    if not isinstance(data, PreparedImages):
        raise DataError(f"{folder}: holds texts where images are wanted")
    return data


def load_texts(folder: Path | str) -> PreparedTexts:
    data = load_prepared(folder)
    if not isinstance(data, PreparedTexts):
        raise DataError(f"{folder}: holds images where texts are wanted")
    return data


def _array(path: Path) -> npt.NDArray[Any]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run `dvc repro` to prepare it") from None
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: not a NumPy array ({error}); prepare it again") from None
