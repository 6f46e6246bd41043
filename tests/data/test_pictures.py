"""Pictures of every kind become arrays of one shape; broken ones give one line."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from made_pictures import PIXELS, RGB, picture, refused
from PIL import Image

from genline.data.sources.files.pictures import Form, decode

GREY = Form(1, 4, 6, "exact", 255)
COLOUR = Form(3, 4, 6, "exact", 255)


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF"])
def test_a_grey_picture_is_its_grey_levels(form: str) -> None:
    assert np.array_equal(decode(picture(PIXELS, form), GREY, "a").pixels, PIXELS[None])


@pytest.mark.parametrize("form", ["PNG", "BMP", "WEBP"])
def test_a_colour_picture_has_its_channels_first(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    found = decode(picture(RGB, form, **options), COLOUR, "a").pixels
    assert np.array_equal(found, RGB.transpose(2, 0, 1))


def test_grey_and_colour_become_each_other() -> None:
    grey = decode(picture(PIXELS), COLOUR, "a").pixels
    assert np.array_equal(grey, np.repeat(PIXELS[None], 3, axis=0))
    luma = decode(picture(RGB), GREY, "a").pixels[0]
    assert np.abs(luma - RGB @ [0.299, 0.587, 0.114]).max() <= 1


def test_sixteen_bits_become_eight_by_their_range() -> None:
    deep = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2849
    found = decode(picture(Image.fromarray(deep)), GREY, "a").pixels[0]
    assert np.array_equal(found, np.rint(deep / 257))


def test_a_palette_and_transparency_are_seen_as_they_look() -> None:
    flat = Image.fromarray(RGB).quantize(16)
    wanted = np.asarray(flat.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(decode(picture(flat), COLOUR, "a").pixels, wanted)
    alpha = np.dstack([RGB, np.zeros((4, 6), np.uint8)])
    assert (decode(picture(alpha), COLOUR, "a").pixels == 255).all()
    black = Form(3, 4, 6, "exact", 0)
    assert (decode(picture(alpha), black, "a").pixels == 0).all()


def test_a_cmyk_photograph_is_read_in_colour() -> None:
    red = Image.new("CMYK", (6, 4), (0, 255, 255, 0))
    found = decode(picture(red, "JPEG", quality=95), COLOUR, "a").pixels
    assert found[0].min() > 200
    assert found[1:].max() < 80


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    content = picture(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(decode(content, GREY, "a").pixels[0], PIXELS)


def test_a_photograph_is_turned_upright() -> None:
    lying = Image.fromarray(PIXELS.T.copy())
    exif = Image.Exif()
    exif[0x0112] = 5  # mirrored along the diagonal
    found = decode(picture(lying, "PNG", exif=exif), GREY, "a")
    assert np.array_equal(found.pixels[0], PIXELS)


@pytest.mark.parametrize("fit", ["resize", "crop", "pad"])
def test_every_fit_gives_the_size_that_is_asked(fit: Any) -> None:
    content = picture(np.full((40, 20), 7, np.uint8))
    found = decode(content, Form(1, 10, 10, fit, 200), "a").pixels[0]
    assert found.shape == (10, 10)
    padded = (found == 200).all(axis=0)
    assert padded.sum() == (5 if fit == "pad" else 0)
    assert (found[:, 4:6] == 7).all()


def test_another_size_is_refused_where_it_should_be_exact() -> None:
    message = refused(lambda: decode(picture(RGB), Form(3, 8, 8, "exact", 0), "a.png"))
    assert message == "a.png: 4×6 pixels, wanted 8×8; set fit to resize, crop or pad"


def test_a_picture_of_one_pixel_is_one() -> None:
    assert decode(picture(PIXELS[:1, :1]), Form(1, 8, 8, "resize", 0), "a").pixels.shape == (
        1,
        8,
        8,
    )


@pytest.mark.parametrize("side", [8_000, 20_000])
def test_a_huge_picture_is_refused_before_it_is_decoded(side: int) -> None:
    small = picture(PIXELS)
    size = struct.pack(">II", side, side)
    head = b"IHDR" + size + small[24:29]  # as the file of so many pixels begins
    huge = small[:12] + head + struct.pack(">I", zlib.crc32(head)) + small[33:]
    assert "a: more than 50 million pixels" in refused(lambda: decode(huge, GREY, "a"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF", "WEBP"])
def test_half_a_picture_is_named(form: str) -> None:
    large = (
        np.random.default_rng(2).integers(0, 256, (4, 6, 3), np.uint8).repeat(20, 0).repeat(20, 1)
    )
    whole = picture(large, form)
    message = refused(lambda: decode(whole[: len(whole) // 2], Form(3, 8, 8, "resize", 0), "a"))
    assert message.startswith("a: ")


@pytest.mark.parametrize("content", [b"", b"words", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4"])
def test_what_is_no_picture_is_named(content: bytes) -> None:
    assert refused(lambda: decode(content, GREY, "a.png")).startswith("a.png: ")
