"""The ``validate`` block of a dataset in params.yaml."""

from __future__ import annotations

from pydantic import Field

from genline.core.params import Section


class Validate(Section):
    """What a dataset must satisfy before it is prepared."""

    suite: str = Field(
        min_length=1, description="YAML file of expectations, relative to the project's top folder"
    )
