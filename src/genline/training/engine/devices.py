"""Where training runs: threads, device and precision, through Lightning Fabric."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genline.core.errors import ParamsError
from genline.core.params import Section

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Runtime(Section):
    """Where the work runs."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        description="auto takes CUDA when there is one, else the CPU"
    )
    threads: int = Field(ge=1, le=256, description="threads of one process; results depend on it")
    precision: Literal["32-true", "bf16-mixed"] = Field(description="arithmetic of training")


def use_threads(runtime: Runtime) -> None:
    """Fix what results depend on: the number of threads, and deterministic kernels."""
    import torch

    torch.set_num_threads(runtime.threads)
    # Not use_deterministic_algorithms(True): the same switch, but it imports torch's compiler,
    # two seconds in a stage that trains nothing.
    torch.set_deterministic_debug_mode("error")
    # Filling fresh memory is a guard for code that reads it unwritten; it costs a GAN 11 %.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def resolve_device(runtime: Runtime) -> str:
    """``cpu`` or ``cuda``. Raises ParamsError when CUDA is asked for and there is none."""
    import torch

    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise ParamsError(
            "params.yaml: runtime.device is 'cuda' but torch finds no CUDA device; "
            "use 'auto' or 'cpu'"
        )
    if runtime.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return runtime.device


@contextmanager
def _without_torchmetrics() -> Iterator[None]:
    """Fabric imports torchmetrics only to ask its version, and with it SciPy's signals and
    Matplotlib: a second in each stage that trains. Inside, torchmetrics is not to be had."""
    if "torchmetrics" in sys.modules:
        yield
        return
    sys.modules["torchmetrics"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["torchmetrics"]


def make_fabric(runtime: Runtime) -> Fabric:
    """A Fabric on the chosen device with the chosen precision, threads set."""
    with _without_torchmetrics():
        from lightning_fabric import Fabric

    use_threads(runtime)
    device = resolve_device(runtime)
    return Fabric(
        accelerator="gpu" if device == "cuda" else "cpu", devices=1, precision=runtime.precision
    )
