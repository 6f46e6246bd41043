# Two targets: `docker build --target cpu .` and `docker build --target cuda .`. Both hold the
# packages of requirements.lock and run as a user without rights. torch brings its own CUDA
# libraries; the cuda target needs a driver and the NVIDIA container toolkit on the host alone.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends git make openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 genline \
 && install -d -o genline -g genline /project
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DVC_NO_ANALYTICS=true \
    MLFLOW_DISABLE_TELEMETRY=true \
    DO_NOT_TRACK=1 \
    GX_ANALYTICS_ENABLED=false \
    VIRTUAL_ENV=/opt/venv \
    PATH=/opt/venv/bin:$PATH
RUN python -m venv /opt/venv && chown -R genline:genline /opt/venv
USER genline
WORKDIR /project

FROM base AS cpu
# The CPU build of the same torch: a fifth of the size.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY --chown=genline:genline requirements.lock ./
RUN pip install "$(grep '^torch==' requirements.lock | cut -d' ' -f1)" --index-url "$TORCH_INDEX" \
 && pip install -r requirements.lock
COPY --chown=genline:genline . .
RUN pip install --no-deps --editable . && genline check
ENTRYPOINT ["genline"]
CMD ["--help"]

FROM base AS cuda
COPY --chown=genline:genline requirements.lock ./
RUN pip install -r requirements.lock
COPY --chown=genline:genline . .
RUN pip install --no-deps --editable . && genline check
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["genline"]
CMD ["--help"]
