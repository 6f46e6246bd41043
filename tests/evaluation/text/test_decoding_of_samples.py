"""How samples are decoded when they are judged is a parameter of the experiment."""

from __future__ import annotations

import pytest
import torch

from genline.core.errors import ModelError, ParamsError
from genline.core.params import parse_section
from genline.evaluation.text import suite
from genline.evaluation.text.config import EvaluateTexts
from genline.models.base import TextModel
from genline.models.networks.strategy import ANCESTRAL, Decoding, Strategy

CPU = torch.device("cpu")


class Remembering(TextModel):
    """Draws as ``words`` does, and remembers what it was asked for."""

    variants = ("generator", "control")

    def __init__(self, words):
        super().__init__()
        self.words, self.asked = words, []

    def sample(self, count, generator, variant=None, temperature=1.0, strategy=ANCESTRAL):
        self.asked.append((variant, temperature, strategy))
        return self.words.sample(count, generator, variant, temperature)


def test_samples_and_what_is_shown_are_decoded_as_params_say(random_words, evaluator, texts):
    model = Remembering(random_words)
    decoding = Decoding(temperature=0.9, top_k=5, top_p=0.8)
    params = EvaluateTexts(samples=60, ngram_order=2, temperatures=[0.5, 0.9], decoding=decoding)
    suite.evaluate(model, evaluator, texts, params, 0, CPU)
    strategy = Strategy(top_k=5, top_p=0.8)
    assert model.asked == [
        ("generator", 0.9, strategy),
        ("control", 0.9, strategy),
        ("control", 0.5, strategy),  # its curve; at 0.9 it has been drawn from
    ]
    model.asked.clear()
    suite.shown(model, texts, 5, 0, CPU, decoding)
    assert model.asked == [("generator", 0.9, strategy), ("control", 0.9, strategy)]


def test_a_model_with_one_way_of_its_own_is_not_asked_for_another(random_words):
    with pytest.raises(ModelError, match="RandomWords takes no top_k, top_p or beams"):
        suite.draw(random_words, 5, 0, "generator", strategy=Strategy(top_k=3))


@pytest.mark.parametrize(
    ("decoding", "words"),
    [
        ({"beams": 3, "top_k": 2}, "decoding: beams is 3, which draws nothing"),
        ({"beams": 3, "temperature": 0.5}, "temperature is 0.5 but beams is 3"),
        ({"top_p": 0}, "decoding.top_p is 0; wanted: a number in (0, 1]"),
        ({"topk": 5}, "unknown key 'evaluate.decoding.topk'; did you mean 'top_k'?"),
    ],
)
def test_params_that_do_not_go_together_are_refused(decoding, words):
    with pytest.raises(ParamsError) as caught:
        parse_section(EvaluateTexts, {"decoding": decoding}, "evaluate")
    assert words in str(caught.value)
