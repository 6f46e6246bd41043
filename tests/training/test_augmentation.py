"""Augmentations: what each changes, that images change apart, and that gradients pass through."""

from __future__ import annotations

import pytest
import torch

from genline.training.engine.augmentation import AUGMENTATIONS, augment


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 64, channels: int = 3, height: int = 16, width: int = 8) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=seeded(5)) * 2 - 1


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 5), (3, 16, 8)])
def test_the_shape_stays_and_the_draw_decides(name: str, shape: tuple[int, int, int]) -> None:
    x = pictures(9, *shape)
    once = AUGMENTATIONS[name](x, seeded(1))
    assert once.shape == x.shape
    assert torch.equal(once, AUGMENTATIONS[name](x, seeded(1)))
    assert torch.isfinite(once).all()


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_images_of_a_batch_change_apart(name: str) -> None:
    same = pictures(1).expand(64, -1, -1, -1)
    changed = AUGMENTATIONS[name](same, seeded(2))
    assert len({row.numpy().tobytes() for row in changed}) > 1


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_gradients_pass_to_the_image_they_come_from(name: str) -> None:
    x = pictures(4).requires_grad_()
    changed = AUGMENTATIONS[name](x, seeded(3))
    (gradient,) = torch.autograd.grad(changed[1].square().sum(), x)
    assert gradient[1].abs().sum() > 0
    assert gradient[[0, 2, 3]].abs().sum() == 0


@pytest.mark.parametrize("name", ["flip", "crop"])
def test_grey_levels_are_moved_as_pixels_are(name: str) -> None:
    levels = torch.randint(0, 17, (20, 1, 8, 8), generator=seeded(), dtype=torch.uint8)
    changed = AUGMENTATIONS[name](levels, seeded(6))
    assert changed.dtype == torch.uint8
    assert torch.equal(changed.float(), AUGMENTATIONS[name](levels.float(), seeded(6)))


def test_half_of_the_images_are_flipped() -> None:
    x = pictures(2000, 1, 2, 3)
    changed = AUGMENTATIONS["flip"](x, seeded())
    flipped = (changed == x.flip(3)).flatten(1).all(1)
    assert ((changed == x).flatten(1).all(1) ^ flipped).all()
    assert flipped.float().mean().item() == pytest.approx(0.5, abs=0.04)


def moves(name: str, x: torch.Tensor) -> set[tuple[int, int]]:
    """By how many rows and columns the middle of each image was moved."""
    found = set()
    for before, after in zip(x, AUGMENTATIONS[name](x, seeded()), strict=True):
        found |= {
            (down, right)
            for down in range(-3, 4)
            for right in range(-3, 4)
            if torch.equal(after[:, 4:12, 3:5], before.roll((down, right), (1, 2))[:, 4:12, 3:5])
        }
    return found


@pytest.mark.parametrize("name", ["crop", "translate"])
def test_images_move_by_up_to_an_eighth_of_each_side(name: str) -> None:
    expected = {(down, right) for down in range(-2, 3) for right in range(-1, 2)}
    assert moves(name, pictures(400)) == expected


def test_a_moved_border_is_mirrored_or_dark() -> None:
    ramp = torch.arange(8.0).div(8).expand(200, 1, 8, 8).contiguous()
    cropped = AUGMENTATIONS["crop"](ramp, seeded())[:, 0, 0, 0]
    assert set(cropped.tolist()) == {0.0, 0.125}  # moved left, and moved right: the second column
    moved = AUGMENTATIONS["translate"](ramp, seeded())[:, 0, 3, 0]
    assert set(moved.tolist()) == {-1.0, 0.0, 0.125}


def test_cutout_hides_a_square_of_half_the_side() -> None:
    x = torch.ones(500, 1, 16, 16)
    hidden = (AUGMENTATIONS["cutout"](x, seeded()) == 0).flatten(1).sum(1)
    assert int(hidden.max()) == 64
    assert int(hidden.min()) > 0


def test_colour_keeps_where_things_are() -> None:
    x = pictures(8, 1)
    changed = AUGMENTATIONS["colour"](x, seeded())
    for before, after in zip(x, changed, strict=True):
        pair = torch.stack([before.flatten(), after.flatten()])
        assert torch.corrcoef(pair)[0, 1].item() == pytest.approx(1.0, abs=1e-5)


def test_a_policy_is_each_of_its_changes_in_turn() -> None:
    x, random = pictures(), seeded(4)
    by_hand = AUGMENTATIONS["cutout"](AUGMENTATIONS["flip"](x, random), random)
    assert torch.equal(augment(x, ["flip", "cutout"], seeded(4)), by_hand)
    assert augment(x, [], seeded()) is x
