"""What the training loop asks of a family: how one step goes, and what to keep."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from genline.core.seeds import derive_seed
from genline.training.engine.averages import ExponentialAverage

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_AT_A_STEP = 2**20  # bytes: more than a step's indices or texts


@dataclass(frozen=True)
class Context:
    """What every recipe is given: the device it runs on and the seed of its streams."""

    fabric: Fabric
    seed: int

    @property
    def device(self) -> torch.device:
        return self.fabric.device

    def generator(self, *names: str | int) -> torch.Generator:
        """A fresh generator, on the training device, for the stream called ``names``."""
        return torch.Generator(self.device).manual_seed(derive_seed(self.seed, *names))

    def tensor(self, array: Any) -> Tensor:
        """A copy of a numpy array on the training device."""
        if self.device.type == "cuda" and array.nbytes <= _AT_A_STEP:
            # From page-locked memory it is queued behind the work before it; any other copy would
            # wait for that, and the GPU would idle until its next work has come.
            return torch.tensor(array).pin_memory().to(self.device, non_blocking=True)
        return torch.tensor(array, device=self.device)


class Recipe(ABC):
    """One training: everything that changes between steps stands in the four mappings.

    The loop checkpoints exactly these, so a resumed run is bit-identical. A learning rate or a
    β schedule is a function of the step, never a state.
    """

    steps: int
    validate_every: int = 0  # 0: never
    phase_ends: frozenset[int] = frozenset()  # steps at which a phase before the last one ends
    # The key of validate() whose least value decides which state is kept; None keeps the last one.
    # A figure named after it with "_error" is its standard error: of states that differ by less,
    # the later is kept, which has learnt for longer (Breiman et al. 1984, section 3.4.3).
    selects_by: str | None = None

    def __init__(self) -> None:
        self.modules: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Optimizer] = {}
        self.averages: dict[str, ExponentialAverage] = {}
        self.generators: dict[str, torch.Generator] = {}

    @abstractmethod
    def step(self, step: int) -> dict[str, Tensor]:
        """Do step ``step`` and return its losses and figures, each a 0-d tensor."""

    def validate(self, step: int) -> dict[str, float]:
        """Figures on the validation split after ``step`` steps, names starting ``valid_``."""
        return {}

    @abstractmethod
    def result(self) -> dict[str, Tensor]:
        """The weights to keep, as the family's model names them."""

    def selects(self, step: int) -> str | None:
        """How the names of the weights begin whose best state is sought after ``step`` steps.

        Each beginning has a best state of its own, so that phases which train different networks
        do not compete; "" is all weights, None is a phase of which nothing is kept.
        """
        return ""

    def finish(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Called once with the kept weights: fit what is fitted after training, add it."""
        return weights

    def state_dict(self) -> dict[str, Any]:
        return {
            "modules": {k: m.state_dict() for k, m in self.modules.items()},
            "optimizers": {k: o.state_dict() for k, o in self.optimizers.items()},
            "averages": {k: a.state_dict() for k, a in self.averages.items()},
            "generators": {k: g.get_state() for k, g in self.generators.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for kind in ("modules", "optimizers", "averages"):
            for name, thing in getattr(self, kind).items():
                thing.load_state_dict(state[kind][name])
        for name, generator in self.generators.items():
            generator.set_state(state["generators"][name].cpu())


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
