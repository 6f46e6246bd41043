"""Tiny files in the canonical forms of the catalogue, and a server that misbehaves on request."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import yaml


def idx_bytes(array: np.ndarray) -> bytes:
    """A uint8 array as an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def tar_bytes(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def mnist_files() -> dict[str, bytes]:
    """Ten images in train and five in test, 28×28."""
    files = {}
    for prefix, count in (("train", 10), ("t10k", 5)):
        images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        files[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(idx_bytes(images), mtime=0)
        files[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(idx_bytes(labels), mtime=0)
    return files


def python2_batch(images: np.ndarray, labels: list[int]) -> bytes:
    """A pickle as Python 2 and an old NumPy wrote it: protocol 2, str for keys and bytes."""
    content = images.tobytes()
    shape = b"(" + b"".join(b"J" + int(n).to_bytes(4, "little") for n in images.shape) + b"t"
    short = lambda text: b"U" + bytes([len(text)]) + text  # noqa: E731
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n(K\x00t" + short(b"b") + b"\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\n" + short(b"u1") + b"K\x00K\x01\x87R"
        b"(K\x03" + short(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(content).to_bytes(4, "little") + content + b"tb"
    )
    numbers = b"](" + b"".join(b"K" + bytes([n]) for n in labels) + b"e"
    return b"\x80\x02}(" + short(b"data") + array + short(b"labels") + numbers + b"u."


def cifar_files(count: int = 4) -> dict[str, bytes]:
    random = np.random.default_rng(3)
    batches = {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        images = random.integers(0, 256, (count, 3072), np.uint8)
        batch = python2_batch(images, [i % 10 for i in range(count)])
        batches[f"cifar-10-batches-py/{name}"] = batch
    batches["cifar-10-batches-py/batches.meta"] = pickle.dumps({"label_names": []}, 2)
    return {"cifar-10-python.tar.gz": tar_bytes(batches)}


def imdb_files() -> dict[str, bytes]:
    reviews = {
        f"aclImdb/{split}/{label}/{i}_{score}.txt": f"{split} {label} {i} é".encode()
        for split in ("train", "test")
        for label, score in (("pos", 7), ("neg", 2))
        for i in range(3)
    }
    others = {"aclImdb/train/unsup/0_0.txt": b"not labelled", "aclImdb/README": b"read me"}
    return {"aclImdb_v1.tar.gz": tar_bytes(reviews | others)}


def line_files(names: list[str]) -> dict[str, bytes]:
    return {name: f"a cat on {name} .\n\na dog .\n".encode() for name in names}


CANONICAL: dict[str, tuple[dict[str, bytes], int]] = {
    "mnist": (mnist_files(), 15),
    "fashion-mnist": (mnist_files(), 15),
    "kmnist": (mnist_files(), 15),
    "cifar10": (cifar_files(), 24),
    "imdb": (imdb_files(), 12),
    "coco-captions": (line_files(["image_coco.txt", "test_coco.txt"]), 4),
    "ptb": (line_files([f"ptb.{s}.txt" for s in ("train", "valid", "test")]), 6),
}


def write_manifest(root: Path, name: str, files: dict[str, bytes], /, **changes: Any) -> Path:
    """The project's own manifest of ``name`` with the sizes and checksums of ``files``."""
    original = Path(__file__).parents[2] / f"data/catalogue/{name}.yaml"
    manifest = yaml.safe_load(original.read_text())
    for file in manifest["files"]:
        content = files[file["name"]]
        file["size"] = len(content)
        kind = "md5" if "md5" in file else "sha256"
        file[kind] = hashlib.new(kind, content).hexdigest()
    path = root / f"{name}.yaml"
    path.write_text(yaml.safe_dump(manifest | changes))
    return path


class Fault:
    """How the server treats a path: ``missing``, ``cut`` (once, half way) or ``no_range``."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self.asked: list[tuple[str, str | None]] = []


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[tuple[str, Fault]]:
    """A server of ``files`` on 127.0.0.1: its address, and the faults that tests set."""
    faults = Fault()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            wanted = self.headers.get("Range")
            faults.asked.append((name, wanted))
            fault = faults.of.get(name)
            if name not in files or fault == "missing":
                self.send_error(404)
                return
            content, start = files[name], 0
            if wanted and fault != "no_range":
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
                total = len(content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            else:
                self.send_response(200)
            body = content[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if fault == "cut":
                del faults.of[name]
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
