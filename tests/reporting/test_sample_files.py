from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from genline.reporting.samples import (
    CELL,
    cut_grid,
    near_square,
    read_texts,
    write_image_grid,
    write_texts,
)


def ramp(count: int, channels: int = 1, size: int = 8, levels: int = 17) -> np.ndarray:
    values = np.arange(count * channels * size * size) % levels
    return values.reshape(count, channels, size, size).astype(np.uint8)


def test_each_pixel_becomes_equal_ones_and_levels_map_to_a_fixed_range(tmp_path: Path) -> None:
    images = ramp(3)
    write_image_grid(tmp_path / "grid.png", images, levels=17, columns=2, scale=6)
    grid = np.asarray(Image.open(tmp_path / "grid.png"))
    gap = (grid.shape[0] - 2 * 48) // 3
    assert 2 <= gap <= 4
    assert grid.shape == (2 * 48 + 3 * gap, 2 * 48 + 3 * gap)
    third = grid[48 + 2 * gap : 2 * 48 + 2 * gap, gap : gap + 48]
    expected = np.rint(images[2, 0].astype(float) * 255 / 16).repeat(6, 0).repeat(6, 1)
    np.testing.assert_array_equal(third, expected)


def test_a_dark_image_is_not_stretched_to_white(tmp_path: Path) -> None:
    write_image_grid(tmp_path / "grid.png", np.ones((1, 1, 8, 8), np.uint8), levels=17)
    assert np.asarray(Image.open(tmp_path / "grid.png"))[4:-4, 4:-4].max() == 16


def test_small_images_are_scaled_until_their_pixels_are_seen(tmp_path: Path) -> None:
    write_image_grid(tmp_path / "grid.png", ramp(1), levels=17)
    assert Image.open(tmp_path / "grid.png").width >= CELL


@pytest.mark.parametrize(
    ("count", "columns"),
    [(1, 1), (2, 2), (3, 3), (10, 5), (12, 4), (13, 4), (16, 4), (64, 8), (100, 10)],
)
def test_a_grid_is_near_square_and_full_where_it_can_be(count: int, columns: int) -> None:
    assert near_square(count) == columns


@given(st.integers(1, 10_000))
def test_a_near_square_grid_is_never_long(count: int) -> None:
    columns = near_square(count)
    rows = -(-count // columns)
    assert rows <= columns <= 3 * rows


@pytest.mark.parametrize("size", [8, 28, 64])
def test_a_cut_grid_is_the_upper_left_pixel_for_pixel(tmp_path: Path, size: int) -> None:
    write_image_grid(tmp_path / "whole.png", ramp(100, size=size), levels=17)
    whole = np.asarray(Image.open(tmp_path / "whole.png"))
    cut = np.asarray(Image.open(io.BytesIO(cut_grid(tmp_path / "whole.png", size, size, 288, 6))))
    np.testing.assert_array_equal(cut, whole[: cut.shape[0], : cut.shape[1]])
    assert CELL <= cut.shape[1] <= 288
    columns = cut.shape[1] // (whole.shape[1] // 10)
    few = np.concatenate([ramp(100, size=size)[10 * row :][:columns] for row in range(6)])
    write_image_grid(tmp_path / "few.png", few, levels=17, columns=columns)
    np.testing.assert_array_equal(cut, np.asarray(Image.open(tmp_path / "few.png")))


def test_a_cut_of_a_small_grid_or_a_large_image_is_what_there_is(tmp_path: Path) -> None:
    write_image_grid(tmp_path / "one.png", ramp(1), levels=17)
    assert cut_grid(tmp_path / "one.png", 8, 8, 288, 6)
    write_image_grid(tmp_path / "large.png", ramp(2, size=400), levels=17)
    cut = Image.open(io.BytesIO(cut_grid(tmp_path / "large.png", 400, 400, 288, 6)))
    assert 400 <= cut.width < 410


def test_colour_channels_stay_apart(tmp_path: Path) -> None:
    images = np.zeros((1, 3, 4, 4), np.uint8)
    images[0, 0] = 255
    write_image_grid(tmp_path / "grid.png", images, levels=256, scale=1)
    assert Image.open(tmp_path / "grid.png").getpixel((2, 2)) == (255, 0, 0)


def test_a_grid_written_twice_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_image_grid(tmp_path / name, ramp(20), levels=17)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("images", "levels"),
    [
        (np.zeros((0, 1, 8, 8), np.uint8), 17),
        (np.zeros((2, 8, 8), np.uint8), 17),
        (np.zeros((2, 2, 8, 8), np.uint8), 17),
        (np.zeros((2, 1, 8, 8), np.float32), 17),
        (np.full((2, 1, 8, 8), 17, np.uint8), 17),
    ],
)
def test_wrong_images_are_refused_and_nothing_is_written(
    images: np.ndarray, levels: int, tmp_path: Path
) -> None:
    with pytest.raises(ValueError):
        write_image_grid(tmp_path / "grid.png", images, levels)
    assert not list(tmp_path.iterdir())


@given(st.lists(st.text()))
def test_every_text_is_one_line_whatever_it_holds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("texts") / "samples.txt"
    write_texts(path, texts)
    assert len(read_texts(path)) == len(texts)
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(texts)


def test_line_breaks_are_escaped_and_tabs_kept(tmp_path: Path) -> None:
    write_texts(tmp_path / "samples.txt", ["a\nb\r", "c\td", "\ud800"])
    assert read_texts(tmp_path / "samples.txt") == ["a\\nb\\r", "c\td", "\\ud800"]
