"""The model that MLflow serves: MLflow runs this file, and reads no pickle.

Input: one row a request, with columns ``n`` and ``seed`` and, optionally, ``variant`` and
``temperature``. Output: one row a sample, with columns ``request`` (the input row it answers)
and ``image`` (a PNG in base64, grey levels spread over 0..255) or ``text``.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Sampler(PythonModel):
    """Draws samples from the model folder logged as the artifact ``model``."""

    def load_context(self, context: Any) -> None:
        from genline.models.store import load_model

        self.stored = load_model(context.artifacts["model"])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Raises MlflowException, which a server answers with its one line, for a bad request."""
        from genline.core.errors import GenlineError

        rows: list[dict[str, Any]] = []
        for request, asked in enumerate(model_input.to_dict("records")):
            try:
                samples = self._samples(asked)
            except GenlineError as error:
                message = f"request {request}: {error}"
                raise MlflowException.invalid_parameter_value(message) from None
            rows += [{"request": request, **sample} for sample in samples]
        return pd.DataFrame(rows)

    def _samples(self, asked: Mapping[Hashable, Any]) -> list[dict[str, str]]:
        from genline.data.prepared import ImageSpec
        from genline.models.sampling import check_request, draw_images, draw_texts

        count, seed = int(asked["n"]), int(asked["seed"])
        variant = None if _missing(asked, "variant") else str(asked["variant"])
        temperature = 1.0 if _missing(asked, "temperature") else float(asked["temperature"])
        spec = self.stored.spec
        check_request(spec.kind, count, seed, variant, temperature)
        if isinstance(spec, ImageSpec):
            images = draw_images(self.stored, count, seed, variant)
            return [{"image": _png(image, spec.levels)} for image in images]
        texts = draw_texts(self.stored, count, seed, variant, temperature)
        return [{"text": text} for text in texts]


def _missing(asked: Mapping[Hashable, Any], name: str) -> bool:
    return name not in asked or bool(pd.isna(asked[name]))


def _png(image: npt.NDArray[np.uint8], levels: int) -> str:
    """image: uint8 (channels, height, width), grey levels in [0, levels)."""
    import base64
    import io

    from PIL import Image

    grey = (image.transpose(1, 2, 0) * (255 / (levels - 1))).round().astype("uint8")
    buffer = io.BytesIO()
    Image.fromarray(grey[:, :, 0] if grey.shape[2] == 1 else grey).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


set_model(Sampler())
