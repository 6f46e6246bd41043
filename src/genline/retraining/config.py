"""The ``retrain`` section of params.yaml: where a result is offered, and when it is promoted."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from genline.core.params import Section

# What git takes for a branch, told before it is tried.
_BRANCH = re.compile(r"(?!.*(//|\.\.|@\{|\.lock$|/$))[A-Za-z0-9][A-Za-z0-9._/-]*")


class Retrain(Section):
    """Where ``genline retrain`` pushes to, whom it asks, and when a better model is promoted."""

    remote: str = Field(default="origin", min_length=1, description="a git remote's name")
    base: str = Field(default="main", description="the branch a result is offered to")
    branch: str = Field(default="genline/retrain", description="the one branch it pushes to")
    pull_request: Literal["github", "gitlab", "ref", "none"] = Field(
        default="github", description="github, gitlab, ref (kept in the git remote) or none"
    )
    promote: Literal["on_merge", "at_once"] = Field(
        default="on_merge", description="on_merge or at_once"
    )

    @model_validator(mode="after")
    def _branches_differ(self) -> Self:
        for name in (self.base, self.branch):
            if not _BRANCH.fullmatch(name):
                raise ValueError(f"'{name}' is no name of a branch; use letters, digits, '-', '/'")
        if self.branch == self.base:
            raise ValueError(
                f"branch is '{self.branch}', the base itself, which is never pushed to; "
                "choose another, such as genline/retrain"
            )
        return self
