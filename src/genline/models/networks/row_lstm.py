"""LSTMs that read or write an image row by row, one step a row."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

States = list[tuple[Tensor, Tensor]]


class StackedCells(nn.Module):
    """``layers`` LSTM cells on top of each other, stepped by hand.

    torch's whole-sequence LSTM has no second derivative on every device, which gradient penalties
    want, and cannot read what it has just written; the cell has one and can.
    """

    def __init__(self, inputs: int, width: int, layers: int) -> None:
        super().__init__()
        self.width = width
        self.cells = nn.ModuleList(
            nn.LSTMCell(width if layer else inputs, width) for layer in range(layers)
        )

    def start(self, x: Tensor) -> States:
        """Zeros for as many rows as ``x`` (batch, inputs) has."""
        zeros = x.new_zeros(len(x), self.width)
        return [(zeros, zeros) for _ in self.cells]

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """One step: x (batch, inputs) to the top layer's output (batch, width), and the states."""
        after: States = []
        for cell, state in zip(self.cells, states, strict=True):
            x, memory = cell(x, state)
            after.append((x, memory))
        return x, after


class RowReader(nn.Module):
    """An image read from its top row to its last: (batch, C, H, W) to (batch, 2 · width).

    The features are the last state and the mean of all, so that what stood in the first rows has
    a short way to the output (Mogren 2016, section 2, reads a sequence step by step likewise).
    """

    def __init__(self, row: int, width: int, layers: int) -> None:
        super().__init__()
        self.features = 2 * width
        self.cells = StackedCells(row, width, layers)

    def forward(self, images: Tensor) -> Tensor:
        rows = images.permute(2, 0, 3, 1).flatten(2)  # (height, batch, width · channels)
        states, outputs = self.cells.start(rows[0]), []
        # A weight with a spectral norm is normalised whenever it is read: once a pass, not a row.
        with parametrize.cached():
            for row in rows:
                output, states = self.cells(row, states)
                outputs.append(output)
        return torch.cat([outputs[-1], torch.stack(outputs).mean(0)], -1)


class RowWriter(nn.Module):
    """Rows of pixels, each from noise of its own and from the row written before it.

    Mogren 2016 (C-RNN-GAN), section 2: at every step the generator reads a random vector
    concatenated with the output of the step before. The first reads a row of the darkest grey.
    """

    def __init__(self, noise: int, row: int, width: int, layers: int) -> None:
        super().__init__()
        self.cells = StackedCells(noise + row, width, layers)
        self.head = nn.Linear(width, row)

    def forward(self, noise: Tensor) -> Tensor:
        """noise: (batch, rows, noise), to pixels in (−1, 1): (batch, rows, row)."""
        written = noise.new_full((len(noise), self.head.out_features), -1.0)
        states, rows = None, []
        for part in noise.unbind(1):
            inputs = torch.cat([part, written], -1)
            states = self.cells.start(inputs) if states is None else states
            output, states = self.cells(inputs, states)
            written = torch.tanh(self.head(output))
            rows.append(written)
        return torch.stack(rows, 1)
