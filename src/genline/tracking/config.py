"""The ``register`` section of an experiment in params.yaml."""

from __future__ import annotations

from pydantic import Field

from genline.core.params import Section


class Register(Section):
    """What the gate compares a candidate and the champion by."""

    metric: str = Field(min_length=1, description="a metric of the evaluation, such as fid")
    margin: float = Field(
        default=0.0,
        ge=0,
        lt=float("inf"),
        description="improvement asked for beyond the noise, in the metric's own unit, >= 0",
    )
