"""What training and evaluation read: packed, memory-mapped splits of a prepared dataset.

On disk, in ``data/prepared/<dataset>/``:

- ``meta.json``: kind, the :class:`ImageSpec` or :class:`TextSpec`, item counts and digests;
- images: ``<split>_images.npy`` uint8 (n, channels, height, width) grey levels, and
  ``<split>_labels.npy`` int64 (n,) where there are labels;
- texts: ``<split>_tokens.npy`` flat unsigned integers, ``<split>_offsets.npy`` int64 (n + 1,),
  and ``tokenizer.json``. Stored tokens hold no begin, end or padding marks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.files import digest_file, digest_value, read_json, require_regular

SplitName = Literal["train", "valid", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "valid", "test")
META = "meta.json"
HASHED = 2**28  # bytes of the largest file that is hashed when it is opened: a fifth of a second
_AGAIN = "`dvc checkout` brings it back, or prepare it again"

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
        """One split. Raises DataError, naming the file, where it does not fit the spec."""
        spec, file = self.spec, self.folder / f"{name}_images.npy"
        images = _array(file)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != spec.shape:
            raise _unfit(
                file,
                f"{images.dtype} {images.shape}",
                f"uint8 (n, {', '.join(map(str, spec.shape))})",
            )
        _check_count(file, len(images), self.meta, name)
        if int(images.max()) >= spec.levels:
            raise _unfit(file, f"grey level {images.max()}", f"0 to {spec.levels - 1}")
        if not spec.classes:
            return ImageSplit(images, None)
        file = self.folder / f"{name}_labels.npy"
        labels = _array(file)
        if labels.dtype != np.int64 or labels.shape != (len(images),):
            raise _unfit(file, f"{labels.dtype} {labels.shape}", f"int64 ({len(images)},)")
        if labels.min() < 0 or labels.max() >= spec.classes:
            found = f"labels {labels.min()} to {labels.max()}"
            raise _unfit(file, found, f"0 to {spec.classes - 1}")
        return ImageSplit(images, labels)

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
        """One split. Raises DataError, naming the file, where it does not fit the spec."""
        file = self.folder / f"{name}_tokens.npy"
        tokens = _array(file)
        if tokens.dtype.kind != "u" or tokens.ndim != 1:
            raise _unfit(file, f"{tokens.dtype} {tokens.shape}", "unsigned integers (n,)")
        if len(tokens) and not UNK <= tokens.min() <= tokens.max() < self.spec.vocabulary:
            found = f"tokens {tokens.min()} to {tokens.max()}"
            raise _unfit(file, found, f"{UNK} to {self.spec.vocabulary - 1}")
        file = self.folder / f"{name}_offsets.npy"
        offsets = _array(file)
        if offsets.dtype != np.int64 or offsets.ndim != 1 or not len(offsets):
            raise _unfit(file, f"{offsets.dtype} {offsets.shape}", "int64 (n + 1,)")
        _check_count(file, len(offsets) - 1, self.meta, name)
        split = TextSplit(tokens, offsets)
        if offsets[0] != 0 or offsets[-1] != len(tokens) or split.lengths.min() < 0:
            found = f"offsets {offsets[0]} to {offsets[-1]}"
            raise _unfit(file, found, f"rising ones from 0 to {len(tokens)}, the tokens there are")
        if split.lengths.max() > self.spec.max_tokens:
            found = f"a text of {split.lengths.max()} tokens"
            raise _unfit(file, found, f"at most {self.spec.max_tokens}")
        return split

    @property
    def digest(self) -> str:
        """sha256 of the prepared data: of the digests of its arrays and its spec."""
        return digest_value(self.meta)


Spec = ImageSpec | TextSpec
Prepared = PreparedImages | PreparedTexts


def spec_from_json(value: Any, file: Path | str = META) -> Spec:
    """The inverse of :func:`spec_to_json`. Raises DataError naming ``file`` for anything else."""
    kinds: dict[str, type[Spec]] = {"image": ImageSpec, "text": TextSpec}
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise DataError(f"{file}: the data is of no kind; wanted: image or text")
    wanted = [field.name for field in fields(kinds[kind])]
    if set(value) != {"kind", *wanted}:
        raise DataError(f"{file}: the spec of the {kind}s wants the keys {', '.join(wanted)}")
    for name in wanted:
        least = 0 if name == "classes" else 1
        if type(value[name]) is not int or value[name] < least:
            raise DataError(f"{file}: {name} is not a whole number, {least} or more")
    return kinds[kind](**{name: value[name] for name in wanted})


def spec_to_json(spec: Spec) -> dict[str, Any]:
    return {"kind": spec.kind, **asdict(spec)}


def load_prepared(folder: Path | str) -> Prepared:
    """Open ``data/prepared/<dataset>``.

    Raises DataError, naming the file, if one is missing or not the one that was prepared: the
    sha256 of each is in ``meta.json``. Of a file above ``HASHED`` bytes, which would take longer
    to hash than to look through, only shape, count and range are held against the spec, as those
    of every array are when its split is opened.
    """
    folder = Path(folder)
    file = folder / META
    meta = read_json(file)
    if not isinstance(meta, dict) or "spec" not in meta:
        raise DataError(f"{file}: holds no spec; {_AGAIN}")
    for key in ("counts", "digests"):
        if not isinstance(meta.get(key, {}), dict):
            raise DataError(f"{file}: {key} is no block of keys; {_AGAIN}")
    spec = spec_from_json(meta["spec"], file)
    for name, digest in meta.get("digests", {}).items():
        _check_digest(folder / Path(name).name, digest)
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


def _check_digest(path: Path, digest: Any) -> None:
    try:
        require_regular(path)
        same = path.stat().st_size > HASHED or digest_file(path) == digest
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {_AGAIN}") from None
    if not same:
        raise DataError(f"{path}: is not the file that was prepared (sha256 differs); {_AGAIN}")


def _check_count(path: Path, count: int, meta: dict[str, Any], name: str) -> None:
    wanted = meta.get("counts", {}).get(name, count)
    if count != wanted:
        raise _unfit(path, f"{count} items", f"{wanted}, as {META} says")
    if not count:
        raise DataError(f"{path}: holds no items; prepare more data, or other shares of it")


def _unfit(path: Path, found: str, wanted: str) -> DataError:
    return DataError(f"{path}: found {found}, wanted {wanted}; {_AGAIN}")


def _array(path: Path) -> npt.NDArray[Any]:
    try:
        require_regular(path)
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {_AGAIN}") from None
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: not a NumPy array ({error}); {_AGAIN}") from None
