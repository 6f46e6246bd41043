"""A small world for the loop: a git remote, a DVC remote, an MLflow server and a watched folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from clones import Clone, Run, Started, clean_environment, copy_tree

EXPERIMENT = "digits-vae"
BRANCH = "genline/retrain"
_SUITE = {
    "expectations": [
        {
            "type": "expect_table_row_count_to_be_between",
            "min_value": 200,
            "max_value": 5000,
            "severity": "fail",
        },
        {
            "type": "expect_column_values_to_be_in_set",
            "column": "near_constant",
            "value_set": [False],
            "severity": "fail",
        },
    ]
}


@dataclass
class World:
    """Everything lies below ``top``; each runner is a clone of the git remote in it."""

    top: Path
    server: subprocess.Popen[bytes] | None = None
    uri: str = ""
    log: list[str] = field(default_factory=list)

    @property
    def origin(self) -> Path:
        return self.top / "origin.git"

    def begin(self, values: dict[str, Any]) -> None:
        """The project's first commit, with these keys of params.yaml, its remotes, and MLflow."""
        self._serve()
        project = Clone(self.top / "project")
        project.path.mkdir()
        copy_tree(project.path)
        _shrink(project)
        for key, value in values.items():
            project.set(key, value)
        (project.path / "dvc.lock").unlink(missing_ok=True)
        project.run("git", "init", "-q", "-b", "main")
        project.run("git", "init", "-q", "--bare", "-b", "main", str(self.origin))
        project.run("dvc", "remote", "add", "--default", "store", str(self.top / "store"))
        project.run("git", "add", "-A")
        project.run("git", "rm", "-rqf", "--cached", "--ignore-unmatch", "reports")
        project.run("git", "commit", "-qm", "Start")
        project.run("git", "remote", "add", "origin", str(self.origin))
        project.run("git", "push", "-q", "origin", "main")

    def end(self) -> None:
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGKILL)  # its workers are in its own group
            self.server.wait()

    def data(self, images: np.ndarray, labels: np.ndarray) -> None:
        """What the watched folder holds now."""
        folder = self.top / "watched"
        folder.mkdir(exist_ok=True)
        np.save(folder / "images.npy", images.astype(np.uint8))
        np.save(folder / "labels.npy", labels.astype(np.int64))

    def runner(self, name: str) -> Clone:
        """A fresh clone of the main branch, as a CI runner has it."""
        clone = Clone(self.top / name)
        subprocess.run(["git", "clone", "-q", str(self.origin), str(clone.path)], check=True)
        return clone

    def retrain(self, clone: Clone, *options: str, check: bool = True) -> Run:
        run = clone.run("genline", "retrain", *options, check=check, MLFLOW_TRACKING_URI=self.uri)
        self.log.append(run.text)
        return run

    def start(self, clone: Clone) -> Started:
        """A retraining in a process group of its own."""
        folder = self.top / f"{clone.path.name}-said"
        folder.mkdir()
        return clone.start("genline", "retrain", folder=folder, MLFLOW_TRACKING_URI=self.uri)

    def refs(self) -> dict[str, str]:
        """Where every ref of the git remote is."""
        shown = self.git("for-each-ref", "--format=%(refname) %(objectname)")
        return dict(row.split(" ") for row in shown.splitlines())

    def git(self, *command: str) -> str:
        done = subprocess.run(
            ["git", *command], cwd=self.origin, capture_output=True, text=True, check=True
        )
        return done.stdout

    def show(self, path: str, ref: str = BRANCH) -> str:
        return self.git("show", f"{ref}:{path}")

    def merge(self) -> None:
        """What a person does with the pull request."""
        person = self.runner(f"person-{time.monotonic_ns()}")
        person.run("git", "merge", "-q", "--no-ff", "-m", "Merge", f"origin/{BRANCH}")
        person.run("git", "push", "-q", "origin", "main")

    def commit(self, path: str, content: str, branch: str = "main") -> None:
        """A person's commit to a branch of the git remote."""
        person = self.runner(f"person-{time.monotonic_ns()}")
        person.run("git", "checkout", "-q", branch)
        (person.path / path).write_text(content)
        person.run("git", "add", "-A")
        person.run("git", "commit", "-qm", "By hand")
        person.run("git", "push", "-q", "origin", branch)

    def set(self, values: dict[str, Any]) -> None:
        """A person's commit of dotted keys of params.yaml on main."""
        person = self.runner(f"person-{time.monotonic_ns()}")
        for key, value in values.items():
            person.set(key, value)
        person.run("git", "commit", "-qam", "Other parameters")
        person.run("git", "push", "-q", "origin", "main")

    def aliases(self) -> dict[str, str]:
        """The model's aliases, each with the digest of its version's weights."""
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        model = client.get_registered_model(EXPERIMENT)
        versions = {
            str(v.version): v.tags["genline.model_digest"]
            for v in client.search_model_versions(f"name = '{EXPERIMENT}'")
        }
        return {alias: versions[str(number)] for alias, number in model.aliases.items()}

    def _serve(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{port}"
        settings = ("--backend-store-uri", f"sqlite:///{self.top / 'mlflow.db'}")
        settings += ("--artifacts-destination", str(self.top / "artifacts"))
        settings += ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        with (self.top / "server.log").open("wb") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *settings],
                env=clean_environment() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        raise AssertionError((self.top / "server.log").read_text())


def digits(count: int = 1797) -> tuple[np.ndarray, np.ndarray]:
    """The first real digits, with grey levels from 0 to 255, and what they show."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return np.rint(found.images[:count] * 255 / 16), found.target[:count]


def scrambled(images: np.ndarray) -> np.ndarray:
    """The same pixels in other places: images that look like no digit."""
    order = np.random.default_rng(0).permutation(64)
    return images.reshape(-1, 64)[:, order].reshape(-1, 8, 8)


def _shrink(project: Clone) -> None:
    """One experiment on the watched folder, with budgets that take seconds."""
    path = project.path / "params.yaml"
    params: dict[str, Any] = yaml.safe_load(path.read_text())
    dataset, experiment = params["datasets"]["digits"], params["experiments"][EXPERIMENT]
    dataset["source"] = {
        "name": "array",
        "path": "../watched",
        "parts": [{"images": "images.npy", "labels": "labels.npy"}],
        "axes": "nhw",
        "values": "levels",
    }
    dataset["prepare"]["split"] = "hash"  # so that what was a test item is one for ever
    dataset["evaluator"]["steps"] = 80
    experiment["model"] |= {"width": 8, "gmm_components": [4]}
    experiment["train"] |= {"steps": 60, "validate_every": 30}
    experiment["evaluate"] |= {"draws": 5, "importance_samples": 5}
    # A model of so few steps fails every check; what they say is tried elsewhere.
    experiment["evaluate"]["health"] = {
        "class_kl": 100.0,
        "class_share": 0.0,
        "memorisation": 0.0,
        "copied": 1.0,
        "floors": 10000.0,
        "kl": 0.0,
        "mutual_information": 0.0,
    }
    params["datasets"] = {"digits": dataset}
    params["experiments"] = {EXPERIMENT: experiment}
    params["runtime"]["threads"] = 1
    params["retrain"]["pull_request"] = "ref"
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    suite = project.path / "data/expectations/digits.yaml"
    suite.write_text(yaml.safe_dump(_SUITE))
