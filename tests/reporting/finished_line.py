"""A project folder as the stages before the report leave it, with figures like real ones."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from genline.core.files import write_json, write_text
from genline.evaluation.items import Items
from genline.reporting.samples import write_image_grid, write_texts
from genline.reporting.validation.page import write_page

ITEMS = "95 %, bootstrap over test items"
SETS = "95 %, over 10 independent sets of samples"

PARAMS: dict[str, Any] = {
    "seed": 2026,
    "datasets": {
        "digits": {
            "kind": "image",
            "source": {"name": "digits"},
            "prepare": {"valid": 0.1, "test": 0.3},
            "evaluator": {"width": 32, "features": 64, "learning_rate": 0.002},
        },
        "docstrings": {
            "kind": "text",
            "source": {"name": "docstrings", "packages": ["stdlib", "numpy", "scipy"]},
            "prepare": {"vocabulary": 2000, "max_tokens": 16},
        },
    },
    "experiments": {
        "digits-vae": {
            "dataset": "digits",
            "family": "image_vae",
            "model": {"network": "conv", "latent": 8},
            "train": {"steps": 2000, "learning_rate": 0.002, "averages": {"ema": 0.999}},
        },
        "digits-gan": {
            "dataset": "digits",
            "family": "image_gan",
            "model": {"network": "recurrent"},
            "train": {"steps": 8000, "r1_gamma": 1.0},
        },
        "docstrings-vae": {
            "dataset": "docstrings",
            "family": "text_vae",
            "model": {"network": "lstm"},
            "train": {"steps": 2000, "free_bits": 6.0},
        },
        "docstrings-gan": {
            "dataset": "docstrings",
            "family": "text_gan",
            "model": {"network": "lstm"},
            "train": {"steps": 2000},
        },
    },
}

TEXTS = [
    "Return the mean of the values along the given axis.",
    "If the file does not exist, an error is raised.",
    "The default is to use the number of samples in the data.",
    "This method is only called when the input is a dense matrix.",
    "A list of strings that are the names of the columns.",
    "Note that the result may differ from the exact one.",
    "Compute the distance between each pair of the two inputs.",
    "The other arguments are passed to the function.",
    "Whether to copy the data before it is changed.",
    "See the notes for more details on the method.",
    "The shape of the output is the same as that of the input.",
    "Values outside of this range are set to the nearest edge.",
    "Only one of these options can be given at a time.",
    "An array of the same type is returned in that case.",
]


def metric(
    title: str,
    value: float,
    half: float,
    better: str = "lower",
    *,
    unit: str = "",
    floor: float | None = None,
    count: int = 540,
    interval: str = SETS,
    about: str = "What this figure says, in one sentence for a reader who has not met it.",
) -> dict[str, Any]:
    return {
        "title": title,
        "value": value,
        "standard_error": half / 1.96,
        "low": value - half,
        "high": value + half,
        "count": count,
        "floor": floor,
        "unit": unit,
        "better": better,
        "interval": interval,
        "about": about,
        "floor_low": None if floor is None else 0.9 * floor,
        "floor_high": None if floor is None else 1.1 * floor,
        "left_out": [],
    }


def image_metrics(fid: float) -> dict[str, Any]:
    about = "Fréchet distance between features of the dataset's own classifier."
    return {
        "fid": metric("FID", fid, 0.03, floor=0.61, about=about),
        "kid": metric("KID", 0.0004, 0.0011, floor=0.0001),
        "class_kl": metric("Class KL", 0.012, 0.006, unit="nats", floor=0.008),
        "precision": metric("Precision", 0.961, 0.011, "higher", floor=0.972),
        "recall": metric("Recall", 0.948, 0.012, "higher", floor=0.97),
        "density": metric("Density", 1.03, 0.03, "higher", floor=1.01),
        "coverage": metric("Coverage", 0.955, 0.01, "higher", floor=0.968),
        "memorisation": metric("Memorisation ratio", 0.97, 0.02, "none"),
    }


def vae_metrics(item: str, nll: float) -> dict[str, Any]:
    unit = f"nats/{item}"
    return {
        "nll": metric("Negative log-likelihood", nll, 0.8, unit=unit, interval=ITEMS),
        "elbo": metric("Negative ELBO", nll + 3.1, 0.8, unit=unit, interval=ITEMS),
        "kl": metric("KL divergence", 6.9, 0.1, "none", unit=unit, interval=ITEMS),
        "mutual_information": metric("Mutual information", 5.6, 0.08, "higher", unit=unit),
        "active_units": metric("Active units", 8, 0, "higher", unit="of 8"),
        "decoder_use": metric("Decoder use", 4.21, 0.2, "higher", unit=unit, interval=ITEMS),
    }


def text_metrics(distance: float) -> dict[str, Any]:
    made = {
        "frechet_embedding_distance": metric(
            "Fréchet embedding distance", distance, 0.0004, floor=0.0041, count=2000
        ),
        "forward_perplexity": metric("Forward perplexity", 44.1, 1.2, "none", floor=52.0),
        "reverse_perplexity": metric("Reverse perplexity", 126.3, 2.1, floor=88.0),
        "unique": metric("Unique fraction", 0.998, 0.001, "higher"),
        "copied": metric("Copied fraction", 0.011, 0.004, "none", floor=0.004),
    }
    for n in (2, 3, 4, 5):
        made[f"bleu_{n}"] = metric(f"BLEU-{n}", 0.9 / n, 0.01, "higher", floor=0.95 / n)
        made[f"self_bleu_{n}"] = metric(f"Self-BLEU-{n}", 0.91 / n, 0.01, "none", floor=0.9 / n)
    for n in (1, 2, 3):
        made[f"ngram_divergence_{n}"] = metric(f"{n}-gram divergence", 0.05 * n, 0.004, unit="bits")
        made[f"distinct_{n}"] = metric(f"Distinct-{n}", 0.2 * n, 0.006, "none")
    return made


def metrics_of(experiment: str) -> dict[str, Any]:
    if experiment == "digits-vae":
        made = image_metrics(0.74) | vae_metrics("image", 86.2)
        made["fid_prior"] = metric("FID (prior)", 2.31, 0.07, floor=0.61)
        made["bits_per_dimension"] = metric("Bits per dimension", 1.94, 0.02, unit="bits")
        return made
    if experiment == "digits-gan":
        return image_metrics(0.66)
    if experiment == "docstrings-vae":
        made = text_metrics(0.0093) | vae_metrics("text", 45.3)
        for name, title, value in (
            ("perplexity", "Perplexity, importance-weighted", 54.6),
            ("perplexity_bound", "Perplexity bound", 61.8),
            ("lm_perplexity", "Perplexity of the evaluator's language model", 43.4),
            ("ngram_perplexity", "Perplexity of a 5-gram model", 47.1),
        ):
            made[name] = metric(title, value, 1.3, count=31_204, interval=ITEMS)
        return made
    made = text_metrics(0.0067)
    for name, better, value in (
        ("frechet_embedding_distance", "lower", 0.0062),
        ("forward_perplexity", "none", 44.0),
        ("reverse_perplexity", "lower", 125.1),
    ):
        half = (made[name]["high"] - made[name]["low"]) / 2
        made[f"{name}_control"] = metric(made[name]["title"], value, half, better)
    made["frechet_embedding_distance_vs_control"] = metric(
        "Difference in Fréchet embedding distance", 0.0005, 0.0006, about="GAN minus control."
    )
    made["reverse_perplexity_vs_control"] = metric(
        "Reverse perplexity at equal forward perplexity, difference", 1.2, 2.4
    )
    return made


def sweep() -> list[dict[str, float]]:
    return [
        {
            "temperature": t,
            "forward_perplexity": 44.0 * math.exp(2.2 * (t - 1)),
            "reverse_perplexity": 125.0 + 300 * (t - 1.04) ** 2,
        }
        for t in (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
    ]


def digest(*names: str) -> str:
    return hashlib.sha256("/".join(names).encode()).hexdigest()


def evaluation(experiment: str) -> dict[str, Any]:
    section = PARAMS["experiments"][experiment]
    kind = PARAMS["datasets"][section["dataset"]]["kind"]
    health = {
        "divergence": {"passed": True, "reason": "FID is 1.2 times its floor (at most 20)"},
        "memorisation": {"passed": True, "reason": "distance is 0.97 of unseen data's"},
    }
    if section["family"].endswith("vae"):
        reason = "the latents are used: KL 6.90 (at least 2), decoder use 4.21 nats"
        health["posterior_collapse"] = {"passed": True, "reason": reason}
    return {
        "experiment": experiment,
        "dataset": section["dataset"],
        "family": section["family"],
        "kind": kind,
        "digests": {
            "model": digest(experiment),
            "data": digest(section["dataset"], "data"),
            "evaluator": digest(section["dataset"], "evaluator"),
        },
        "metrics": metrics_of(experiment),
        "health": health,
        "temperature_sweep": sweep() if section["family"] == "text_gan" else [],
    }


def items(experiment: str) -> str:
    """The likelihoods item by item: those of the VAEs, and of the text GAN and its control."""
    image, random = experiment.startswith("digits"), np.random.default_rng(0)
    nats = {"nll": random.gamma(2.0, 20.0, 500), "elbo": random.gamma(2.0, 21.0, 500)}
    if experiment == "digits-gan":
        nats = {}
    return Items("dimensions" if image else "tokens", np.full(500, 64), nats).to_csv()


def promotion(experiment: str) -> dict[str, Any]:
    champion = experiment.endswith("-gan")
    reason = "the first version, and its health checks pass"
    if not champion:
        reason = "0.0093 is not below the champion's 0.0067 by more than the noise"
    figures = {"value": 0.5, "low": 0.4, "high": 0.6}
    return {
        "experiment": experiment,
        "decision": "champion" if champion else "challenger",
        "reason": reason,
        "metric": "fid",
        "candidate": figures,
        "champion": None if champion else figures,
        "digests": {},
    }


def validation(dataset: str) -> dict[str, Any]:
    image = dataset == "digits"
    counts = [2, 14, 60, 180, 342, 420, 388, 240, 110, 34, 7]
    name = "mean_level" if image else "words"
    expectations = [
        expectation("expect_table_row_count_to_be_between", None, {"min_value": 1000}),
        expectation("expect_column_values_to_not_be_null", "item", {}),
        expectation("expect_column_values_to_be_unique", "sha256", {"mostly": 0.99}),
        expectation("expect_column_values_to_be_between", name, {"min_value": 1, "max_value": 16}),
        expectation(
            "expect_column_distinct_values_to_equal_set", "label", {"value_set": list(range(10))}
        ),
    ]
    return {
        "dataset": dataset,
        "kind": "image" if image else "text",
        "success": True,
        "items": sum(counts),
        "source": {
            "name": dataset,
            "sha256": digest(dataset, "raw"),
            "versions": {"scikit-learn": "1.9.1"},
            "licence": "CC BY 4.0",
        },
        "expectations": expectations,
        "columns": [
            {
                "name": name,
                "kind": "number",
                "min": 0.0,
                "max": 11.0,
                "mean": 4.884,
                "std": 1.21,
                "missing": 0,
                "histogram": {"edges": [float(i) for i in range(12)], "counts": counts},
            },
            {
                "name": "label",
                "kind": "category",
                "distinct": 10,
                "top": [[i, 183 - i] for i in range(6)],
            },
        ],
    }


def prepared(dataset: str) -> dict[str, Any]:
    """The content of ``meta.json``, as far as the report reads it."""
    if dataset == "digits":
        spec = {
            "kind": "image",
            "channels": 1,
            "height": 8,
            "width": 8,
            "levels": 17,
            "classes": 10,
        }
        return {"spec": spec, "counts": {"train": 1079, "valid": 179, "test": 539}}
    return {
        "spec": {"kind": "text", "vocabulary": 3000, "max_tokens": 16},
        "counts": {"train": 900, "valid": 97, "test": 200},
        "dropped": {"empty": 0, "too_long": 300, "near_duplicate": 100, "unknown_word": 200},
    }


def expectation(
    kind: str, column: str | None, kwargs: dict[str, Any], **found: Any
) -> dict[str, Any]:
    return {
        "table": "expectations",
        "type": kind,
        "column": column,
        "kwargs": kwargs | ({"column": column} if column else {}),
        "severity": "fail",
        "success": True,
        "checked": 1797,
        "unexpected": 0,
        "observed": None,
        "offending": [],
    } | found


def training_csv(family: str, steps: int = 2000, rows: int = 100) -> str:
    gan = family.endswith("gan")
    if family == "text_gan":
        return text_gan_csv(steps, rows)
    names = (
        ["loss", "discriminator_loss", "discriminator_accuracy", "squared_gradient"]
        if gan
        else ["loss", "reconstruction", "kl", "valid_loss", "valid_reconstruction", "valid_kl"]
    )
    lines = [",".join(["step", *names])]
    for i in range(1, rows + 1):
        fall, wave = math.exp(-i / 14), 0.02 * math.sin(1.7 * i)
        if gan:
            cells = [0.75 + fall + wave, 1.3 - 0.4 * fall + wave, 0.62 + wave, 0.1 + fall]
        else:
            kl = 17 * (1 - fall)
            cells = [88 + 90 * fall + 10 * wave, 71 + 105 * fall, kl]
            cells += [90 + 88 * fall, 73 + 104 * fall, kl + 0.3] if i % 10 == 0 else []
        shown = [f"{c:.7g}" for c in cells] + [""] * (len(names) - len(cells))
        lines.append(",".join([str(i * steps // rows), *shown]))
    return "\n".join(lines) + "\n"


def text_gan_csv(steps: int, rows: int) -> str:
    """Pretraining for a half of the steps, then the adversarial phase, then the control's."""
    lines = [
        "step,loss,pretrain_loss,valid_loss,likelihood_loss,adversarial_loss,discriminator_loss,"
        "discriminator_accuracy,control_loss,valid_control_loss"
    ]
    for i in range(1, rows + 1):
        nll = 40 + 25 * math.exp(-i / 14)
        valid = f"{nll + 2:.7g}" if i % 10 == 0 else ""
        if i <= rows // 2:
            cells = [nll, nll, valid, "", "", "", "", "", ""]
        elif i <= 3 * rows // 4:
            cells = [nll + 0.7, "", valid, nll, 0.7, 1.3, 0.6 + i / 500, "", ""]
        else:
            cells = [nll, "", valid, "", "", "", "", nll, valid]
        shown = [c if isinstance(c, str) else f"{c:.7g}" for c in cells]
        lines.append(",".join([str(i * steps // rows), *shown]))
    return "\n".join(lines) + "\n"


def write_samples(folder: Path, experiment: str) -> None:
    if experiment.startswith("digits"):
        from sklearn.datasets import load_digits

        images = load_digits().images.astype(np.uint8)[:, None]
        write_image_grid(folder / "real.png", images[:100], 17)
        blurred = ((images[100:200].astype(int) + np.roll(images[100:200], 1, 3)) // 2).astype(
            np.uint8
        )
        write_image_grid(folder / "samples.png", blurred, 17)
        if experiment.endswith("vae"):
            write_image_grid(folder / "samples_prior.png", blurred[::-1], 17)
            pairs = np.stack([images[:40], blurred[:40]], 1).reshape(-1, 1, 8, 8)
            write_image_grid(folder / "reconstructions.png", pairs, 17)
        return
    write_texts(folder / "real.txt", [TEXTS[i % len(TEXTS)] for i in range(100)])
    made = [TEXTS[(3 * i + 5) % len(TEXTS)].replace("the", "a", 1) for i in range(100)]
    write_texts(folder / "samples.txt", made)
    if experiment.endswith("vae"):
        write_texts(
            folder / "reconstructions.txt", [f"{a}\t{b}" for a, b in zip(TEXTS, made, strict=False)]
        )
    else:
        write_texts(folder / "samples_control.txt", made[::-1])


def write_line(root: Path) -> Path:
    """Everything the report reads, below ``root``, and the validation pages it links to."""
    write_text(root / "params.yaml", yaml.safe_dump(PARAMS, sort_keys=False))
    for dataset in PARAMS["datasets"]:
        result = validation(dataset)
        write_json(root / f"data/validated/{dataset}/result.json", result)
        write_json(root / f"data/prepared/{dataset}/meta.json", prepared(dataset))
        write_page(result, root / f"reports/validation/{dataset}")
    for experiment, section in PARAMS["experiments"].items():
        write_json(root / f"reports/evaluation/{experiment}.json", evaluation(experiment))
        write_json(root / f"reports/promotion/{experiment}.json", promotion(experiment))
        write_text(root / f"reports/items/{experiment}.csv", items(experiment))
        steps = section["train"]["steps"]
        write_text(
            root / f"reports/training/{experiment}.csv", training_csv(section["family"], steps)
        )
        write_samples(root / f"reports/samples/{experiment}", experiment)
    return root
