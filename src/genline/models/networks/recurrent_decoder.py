"""Recurrent language models, alone or conditioned on a latent."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from genline.models.networks.decoder import Decoder, State
from genline.models.networks.sequence_attention import PastAttention


class _RecurrentDecoder(Decoder):
    """Reads forwards only, whatever the encoder does: a decoder sees no later token.

    The latent, where there is one, sets the initial state and is part of every input (Bowman et
    al. 2016, section 3; He et al. 2019, section 4.1). With ``attention`` the readout also sees
    what the state finds among the past ones, which then are the last part of the decoder's state.
    """

    states: int  # vectors that a layer carries on

    def __init__(
        self,
        vocabulary: int,
        embedding: int,
        hidden: int,
        latent: int = 0,
        *,
        layers: int = 1,
        attention: bool = False,
    ) -> None:
        super().__init__(vocabulary, embedding)
        self.hidden, self.layers = hidden, layers
        self.initial = nn.Linear(latent, self.states * layers * hidden) if latent else None
        self._add_recurrence(embedding + latent)
        self.readout = nn.Linear(2 * hidden if attention else hidden, embedding)
        self.attention = PastAttention(hidden) if attention else None

    @abstractmethod
    def _add_recurrence(self, inputs: int) -> None:
        """Make the network that reads (length, batch, inputs)."""

    @abstractmethod
    def _carry_on(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        """The states after each input, (length, batch, hidden), and the last of every layer."""

    def start(self, batch: int, z: Tensor | None = None) -> State:
        """The vectors of every layer, each (layers, batch, hidden), and with attention the past."""
        if self.initial is not None and z is not None:
            parts = self.initial(z).unflatten(1, (self.states, self.layers, self.hidden))
            hidden, *cell = (part.transpose(0, 1).contiguous() for part in parts.unbind(1))
            # A hidden state is bounded by its cell's output function, a cell is not.
            state: State = (torch.tanh(hidden), *cell)
        else:
            state = (self.bias.new_zeros(self.layers, batch, self.hidden),) * self.states
        if self.attention is not None:
            state = (*state, self.bias.new_zeros(0, batch, self.hidden))
        return state

    def run(
        self,
        embedded: Tensor,
        state: State,
        z: Tensor | None = None,
        p: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, State]:
        if z is not None:
            embedded = torch.cat([embedded, z.expand(len(embedded), -1, -1)], -1)
        carried, past = state[: self.states], state[self.states :]
        states, carried = self._carry_on(embedded, carried)
        if self.attention is None:
            return self.readout(states), carried
        context = self.attention(states, *past)
        known = torch.cat([*past, states])
        return self.readout(torch.cat([states, context], -1)), (*carried, known)


class LSTMDecoder(_RecurrentDecoder):
    """Hochreiter & Schmidhuber 1997, with forget gates."""

    states = 2

    def _add_recurrence(self, inputs: int) -> None:
        self.lstm = nn.LSTM(inputs, self.hidden, self.layers)

    def _carry_on(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        states, (hidden, cell) = self.lstm(embedded, state)
        return states, (hidden, cell)


class GRUDecoder(_RecurrentDecoder):
    """Cho et al. 2014: one vector a layer, three quarters of an LSTM's arithmetic."""

    states = 1

    def _add_recurrence(self, inputs: int) -> None:
        self.gru = nn.GRU(inputs, self.hidden, self.layers)

    def _carry_on(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        states, hidden = self.gru(embedded, state[0])
        return states, (hidden,)
