"""What each metric of samples is called, and the sentence a reader needs beside it."""

from __future__ import annotations

from genline.evaluation.record import Description

BLEU_ORDERS = (2, 3, 4, 5)
NGRAM_ORDERS = (1, 2, 3)


DESCRIPTIONS = {
    "frechet_embedding_distance": Description(
        "Fréchet embedding distance",
        "lower",
        "FID's formula on the mean states of the evaluator's language model; the floor is that of "
        "as many training texts, which the evaluator has seen; the “Fréchet embedding distance of "
        "unseen real texts” is that of texts it has not seen.",
    ),
    "forward_perplexity": Description(
        "Forward perplexity",
        "none",
        "How surprising the samples are to the evaluator's language model: a model that repeats "
        "itself gets far below the floor, which is that of real test texts, so neither way is "
        "better.",
    ),
    "reverse_perplexity": Description(
        "Reverse perplexity",
        "lower",
        "How surprising test texts are to a Kneser–Ney model that knows only the samples: high "
        "where samples are wrong or lack variety; the floor learns from as many training texts.",
    ),
    "unique": Description(
        "Unique samples",
        "none",
        "Share of the samples that differ; the floor is that of as many training texts.",
    ),
    "copied": Description(
        "Copied samples",
        "lower",
        "Share of the samples that stand word for word in the training split; the floor is the "
        "share of test texts that do.",
    ),
}
# Of BLEU, self-BLEU and distinct n-grams neither end is better: random words have the fewest
# repetitions, and one sentence the most matches. They are read against their floor.
for _n in BLEU_ORDERS:
    DESCRIPTIONS[f"bleu_{_n}"] = Description(
        f"BLEU-{_n}",
        "none",
        f"How many {_n}-grams and shorter of a sample some test text has; the floor is that of "
        "training texts.",
    )
    DESCRIPTIONS[f"self_bleu_{_n}"] = Description(
        f"Self-BLEU-{_n}",
        "none",
        f"How many {_n}-grams and shorter of a sample some other sample has; well above the "
        "floor, the samples repeat each other.",
    )
for _n in NGRAM_ORDERS:
    DESCRIPTIONS[f"ngram_divergence_{_n}"] = Description(
        f"{_n}-gram divergence",
        "lower",
        f"Jensen–Shannon divergence of the {_n}-grams of samples and test texts: 0 where the "
        "distributions are equal, 1 where they share nothing.",
        "bits",
    )
    DESCRIPTIONS[f"distinct_{_n}"] = Description(
        f"Distinct {_n}-grams",
        "none",
        f"Distinct {_n}-grams over all {_n}-grams of the samples; the floor is that of as many "
        "training texts.",
    )
