"""What stops a retraining: one line, with champion, main branch and remotes as they were."""

from __future__ import annotations

from genline.core.errors import GenlineError


class RetrainError(GenlineError):
    """A step cannot be done: the message says which, why, and what would let it."""
