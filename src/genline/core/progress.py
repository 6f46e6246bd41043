"""Progress for work that takes seconds or more: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

_LINE_SECONDS = 5.0


class Progress:
    """Counts steps and shows rate, time left and a note such as the loss.

    On a terminal it is a tqdm bar; elsewhere one line every few seconds, and one at the end, which
    ``brief`` leaves out after work so short that no other was shown. ``total``: 0 where it is not
    known.
    """

    def __init__(
        self, title: str, total: int, start: int = 0, unit: str = "step", brief: bool = False
    ) -> None:
        self.title, self.total, self.unit = title, total, unit
        self._silent = brief
        self._start = self._done = start
        self._began = self._said = time.monotonic()
        self._told = -1  # steps done when a line last said so
        self._note = ""
        self._bar = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total or None, initial=start, desc=title, unit=unit, leave=not brief
            )

    def advance(self, count: int = 1) -> None:
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._said >= _LINE_SECONDS:
            self._say()

    def note(self, text: str) -> None:
        """Replace the words shown behind the figures."""
        self._note = text
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)

    def due(self) -> bool:
        """Whether a fresh note would be seen soon; lets a caller avoid computing one."""
        return self._bar is not None or time.monotonic() - self._said >= _LINE_SECONDS * 0.8

    def _say(self) -> None:
        now = time.monotonic()
        rate = (self._done - self._start) / max(now - self._began, 1e-9)
        left = (self.total - self._done) / rate if rate > 0 else float("inf")
        of, when = (f"/{self.total}", f", {left:.0f} s left") if self.total else ("", "")
        note = f", {self._note}" if self._note else ""
        print(
            f"{self.title}: {self._done}{of} {self.unit}s, {rate:.1f} {self.unit}s/s{when}{note}",
            file=sys.stderr,
            flush=True,
        )
        self._said, self._told, self._silent = now, self._done, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None and not self._silent and self._told != self._done:
            self._say()
