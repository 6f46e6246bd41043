"""Contenders that take turns on one machine, and what they cost beside each other.

A shared machine is faster in one minute than in the next. So every round lets each contender work
once, in turn, and a ratio is taken within a round; the median of the rounds is told with the least
and the greatest. What is compared is the processor's time of this process, which others' work
changes far less than the clock on the wall; ratios of the latter stand beside it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Turn = Callable[[], float]  # works, and says how many units that was


@dataclass
class Costs:
    """Seconds a unit of work in each round, by the processor and by the wall."""

    processor: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)


def take_turns(turns: dict[str, Turn], rounds: int, warm_up: int = 1) -> dict[str, Costs]:
    """``rounds`` of all, after ``warm_up`` of which nothing is kept."""
    costs = {name: Costs() for name in turns}
    for number in range(-warm_up, rounds):
        # There and back: what drifts within a round does not always hit the same one.
        order = list(turns) if number % 2 else list(reversed(turns))
        for name in order:
            processor, wall = time.process_time(), time.perf_counter()
            units = turns[name]()
            processor, wall = time.process_time() - processor, time.perf_counter() - wall
            if number >= 0:
                costs[name].processor.append(processor / units)
                costs[name].wall.append(wall / units)
    return costs


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median with the least and the greatest."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def times_as_fast(mine: Costs, others: Costs) -> tuple[list[float], list[float]]:
    """Ratios of the rounds, by the processor and by the wall; above 1 mine are the cheaper."""
    return tuple(  # type: ignore[return-value]
        [other / own for own, other in zip(a, b, strict=True)]
        for a, b in ((mine.processor, others.processor), (mine.wall, others.wall))
    )


def rates(costs: dict[str, Costs], unit: str, against: str) -> str:
    """A row of a Markdown table for each: units a second of the processor, and ratios."""
    lines = [
        f"| | {unit} a thread-second | times {against}, processor | wall |",
        "|---|---:|---:|---:|",
    ]
    for name, own in costs.items():
        cells = [name, spread([1 / each for each in own.processor], 1)]
        if name != against:
            cells += [spread(ratio) for ratio in times_as_fast(own, costs[against])]
        else:
            cells += ["1", "1"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
