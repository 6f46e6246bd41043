"""The ``workers`` block of params.yaml: where data is read and prepared.

It decides no output, so no stage of the pipeline depends on it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from genline.core.params import Section, parse_section


class Workers(Section):
    """Processes of this machine, or those of a Dask cluster."""

    engine: Literal["processes", "dask"] = Field(
        default="processes",
        description="processes (of this machine), or dask (a cluster; see docs/your-data.md)",
    )
    count: int = Field(
        default=0, ge=0, le=256, description="processes on this machine, 0 (its cores) to 256"
    )


def read_workers(params: dict[str, Any]) -> Workers:
    """The block, or its defaults where params.yaml has none."""
    return parse_section(Workers, params.get("workers", {}), "workers")
