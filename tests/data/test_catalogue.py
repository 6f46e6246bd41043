"""The catalogue: canonical files read, and every fault of a server or a file met."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from catalogue_files import CANONICAL, cifar_files, mnist_files, serving, write_manifest

from genline.core.errors import DataError, ParamsError
from genline.data.sources import registry
from genline.data.sources.catalogue import transfer
from genline.data.sources.catalogue.cache import is_here, obtain
from genline.data.sources.catalogue.manifest import FOLDER, read_manifest
from genline.data.sources.config import SOURCES
from genline.stages import datasets

ROOT = Path(__file__).parents[2]
CATALOGUED = [name for name, (_, module) in SOURCES.items() if module.startswith("catalogue")]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, no proxies, and no waiting between tries."""
    monkeypatch.setenv("GENLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GENLINE_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer.time, "sleep", lambda seconds: None)


def fetched(tmp_path: Path, name: str, **changes: Any) -> Path:
    """The raw folder of ``name`` from a mirror of tiny canonical files."""
    files, count = CANONICAL[name]
    mirror = tmp_path / "mirror" / name
    mirror.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (mirror / file).write_bytes(content)
    path = write_manifest(tmp_path, name, files, **({"items": count} | changes))
    section = SOURCES[name][0](name=name, path=str(path), mirror=str(tmp_path / "mirror"))
    folder = tmp_path / "raw" / name
    registry.fetch(section, folder)
    return folder


@pytest.mark.parametrize("name", CATALOGUED)
def test_the_manifest_that_ships_can_be_read(name: str) -> None:
    manifest = read_manifest(ROOT / FOLDER / f"{name}.yaml")
    assert manifest.kind == SOURCES[name][0].kind
    assert all(address.startswith(("http://", "https://")) for address in manifest.addresses)
    assert manifest.licence
    assert manifest.citation


@pytest.mark.parametrize("name", CATALOGUED)
def test_canonical_files_are_read_with_their_splits(tmp_path: Path, name: str) -> None:
    folder = fetched(tmp_path, name)
    items = list(registry.items(folder))
    assert len(items) == CANONICAL[name][1] == registry.record(folder)["items"]
    wanted = {"train", "valid", "test"} if name == "ptb" else {"train", "test"}
    assert {item.keys.split for item in items} == wanted
    assert len({item.name for item in items}) == len(items)


def test_images_and_labels_of_idx_files_are_those_written(tmp_path: Path) -> None:
    items = list(registry.items(fetched(tmp_path, "mnist")))
    wanted = np.random.default_rng(10).integers(0, 256, (10, 28, 28), np.uint8)
    assert np.array_equal(np.stack([i.pixels[0] for i in items[:10]]), wanted)
    assert [i.label for i in items] == [*range(10), *range(5)]


def test_colour_planes_of_cifar_are_channels(tmp_path: Path) -> None:
    items = list(registry.items(fetched(tmp_path, "cifar10")))
    first = np.random.default_rng(3).integers(0, 256, (4, 3072), np.uint8)[0]
    assert np.array_equal(items[0].pixels, first.reshape(3, 32, 32))
    assert [i.keys.split for i in items] == ["train"] * 20 + ["test"] * 4
    assert registry.record(tmp_path / "raw/cifar10")["class_names"][3] == "cat"


def test_reviews_have_their_sentiment_and_the_unlabelled_are_left(tmp_path: Path) -> None:
    items = list(registry.items(fetched(tmp_path, "imdb")))
    assert Counter((i.keys.split, i.label) for i in items) == {
        (split, label): 3 for split in ("train", "test") for label in ("neg", "pos")
    }
    assert "train neg 0 é" in {i.text for i in items}


def test_fetching_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = fetched(tmp_path, "imdb")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    fetched(tmp_path, "imdb")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert not any(str(tmp_path).encode() in content for content in before.values())


def test_a_count_that_is_not_the_manifests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="15 items in its files, wanted 16"):
        fetched(tmp_path, "mnist", items=16)


def test_a_mirrors_own_packing_is_taken_by_its_own_checksum(tmp_path: Path) -> None:
    (content,) = CANONICAL["imdb"][0].values()
    other = {"name": "other.tar.gz", "size": len(content)}
    other["sha256"] = hashlib.sha256(content).hexdigest()
    path = write_manifest(tmp_path, "imdb", CANONICAL["imdb"][0])
    manifest = read_manifest(path)
    file = manifest.files[0].model_copy(update={"instead": read_other(other)})
    place = tmp_path / "mirror" / "imdb"
    place.mkdir(parents=True)
    (place / "other.tar.gz").write_bytes(content)
    assert obtain("imdb", manifest, file, str(tmp_path / "mirror")) == place / "other.tar.gz"


def read_other(value: dict[str, Any]) -> list[Any]:
    from genline.data.sources.catalogue.manifest import Checked

    return [Checked.model_validate(value)]


class Served:
    """One file of a data set that a server has."""

    def __init__(self, tmp_path: Path, content: bytes, addresses: list[str]) -> None:
        files = mnist_files() | {"train-images-idx3-ubyte.gz": content}
        path = write_manifest(tmp_path, "mnist", files, addresses=addresses)
        self.manifest = read_manifest(path)
        self.file = self.manifest.files[0]
        self.cache = tmp_path / "cache" / "mnist"

    def obtain(self, mirror: str | None = None) -> Path:
        return obtain("mnist", self.manifest, self.file, mirror)


CONTENT = np.random.default_rng(1).bytes(600_000)
NAME = "train-images-idx3-ubyte.gz"


def test_a_download_stands_in_the_cache_and_is_not_repeated(tmp_path: Path) -> None:
    with serving({NAME: CONTENT}) as (address, faults):
        served = Served(tmp_path, CONTENT, [address])
        assert served.obtain().read_bytes() == CONTENT
        assert served.obtain() == served.cache / NAME
    assert faults.asked == [(NAME, None)]
    assert {p.name for p in served.cache.iterdir()} - {f".{NAME}.lock"} == {NAME}


def test_a_transfer_that_breaks_off_goes_on_where_it_was(tmp_path: Path) -> None:
    with serving({NAME: CONTENT}) as (address, faults):
        faults.of[NAME] = "cut"
        assert Served(tmp_path, CONTENT, [address]).obtain().read_bytes() == CONTENT
    (_, first), (_, second) = faults.asked
    assert first is None
    assert second is not None
    assert 200_000 < int(second.removeprefix("bytes=").rstrip("-")) <= 300_000


def test_a_part_left_by_a_killed_process_is_gone_on_with(tmp_path: Path) -> None:
    with serving({NAME: CONTENT}) as (address, faults):
        served = Served(tmp_path, CONTENT, [address])
        served.cache.mkdir(parents=True)
        (served.cache / f".{NAME}.part").write_bytes(CONTENT[:1000])
        assert served.obtain().read_bytes() == CONTENT
    assert faults.asked == [(NAME, "bytes=1000-")]


def test_a_part_of_other_bytes_is_fetched_anew(tmp_path: Path) -> None:
    with serving({NAME: CONTENT}) as (address, faults):
        served = Served(tmp_path, CONTENT, [address])
        served.cache.mkdir(parents=True)
        (served.cache / f".{NAME}.part").write_bytes(b"x" * 1000)
        assert served.obtain().read_bytes() == CONTENT
    assert [wanted for _, wanted in faults.asked] == ["bytes=1000-", None]


def test_a_server_without_ranges_sends_all_again(tmp_path: Path) -> None:
    with serving({NAME: CONTENT}) as (address, faults):
        faults.of[NAME] = "no_range"
        served = Served(tmp_path, CONTENT, [address])
        served.cache.mkdir(parents=True)
        (served.cache / f".{NAME}.part").write_bytes(CONTENT[:1000])
        assert served.obtain().read_bytes() == CONTENT


def test_the_next_address_is_taken_where_one_lacks_the_file(tmp_path: Path) -> None:
    with serving({}) as (empty, _), serving({NAME: CONTENT}) as (address, _):
        assert Served(tmp_path, CONTENT, [empty, address]).obtain().read_bytes() == CONTENT


@pytest.mark.parametrize("wrong", [CONTENT[:-1] + b"!", CONTENT + b"!", b"<html>not here</html>"])
def test_wrong_bytes_never_reach_the_cache(tmp_path: Path, wrong: bytes) -> None:
    with serving({NAME: wrong}) as (bad, _), serving({NAME: CONTENT}) as (good, _):
        served = Served(tmp_path, CONTENT, [bad, good])
        assert served.obtain().read_bytes() == CONTENT
        (served.cache / NAME).unlink()
        served.manifest = served.manifest.model_copy(update={"addresses": [bad]})
        with pytest.raises(DataError, match=NAME) as error:
            served.obtain()
    assert not (served.cache / NAME).exists()
    assert "\n" not in str(error.value)


def test_an_error_names_every_place_and_what_would_help(tmp_path: Path) -> None:
    with serving({}) as (address, _):
        closed = "http://127.0.0.1:9/"
        with pytest.raises(DataError) as error:
            Served(tmp_path, CONTENT, [address, closed]).obtain(str(tmp_path / "mirror"))
    message = str(error.value)
    assert f"{tmp_path}/mirror/mnist: has no {NAME}" in message
    assert f"{address}{NAME}: answered 404 Not Found" in message
    assert f"{closed}{NAME}: cannot be reached" in message
    assert f"set GENLINE_MIRROR to a folder or address that has mnist/{NAME}" in message


def test_the_users_mirror_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({f"mnist/{NAME}": CONTENT}) as (mirror, faults), serving({}) as (address, other):
        served = Served(tmp_path, CONTENT, [address])
        monkeypatch.setenv("GENLINE_MIRROR", mirror)
        assert served.obtain().read_bytes() == CONTENT
    assert len(faults.asked) == 1
    assert not other.asked


def test_a_mirror_folder_with_wrong_bytes_is_passed_over(tmp_path: Path) -> None:
    place = tmp_path / "mirror" / "mnist"
    place.mkdir(parents=True)
    (place / NAME).write_bytes(CONTENT[:-1] + b"!")
    with serving({NAME: CONTENT}) as (address, _):
        served = Served(tmp_path, CONTENT, [address])
        assert served.obtain(str(tmp_path / "mirror")) == served.cache / NAME
    (served.cache / NAME).unlink()
    with pytest.raises(DataError, match=r"mirror/mnist/train.*: its sha256 is \w{12}…, wanted"):
        served.obtain(str(tmp_path / "mirror"))


def test_a_proxy_of_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with serving({}) as (address, faults):
        monkeypatch.setenv("http_proxy", address)
        with pytest.raises(DataError, match="answered 404"):
            Served(tmp_path, CONTENT, ["http://catalogue.invalid/"]).obtain()
    assert faults.asked[0][0] == f"http://catalogue.invalid/{NAME}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.ProxyError(), "its proxy cannot be reached"),
        (requests.exceptions.SSLError(), "its certificate cannot be verified"),
        (requests.exceptions.ReadTimeout(), "did not answer within 30 s"),
    ],
)
def test_each_trouble_of_the_network_has_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(transfer.requests, "get", fail)
    with pytest.raises(DataError, match=words):
        Served(tmp_path, CONTENT, ["http://127.0.0.1:9/"]).obtain()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence": None}, "licence is "),
        ({"adresses": []}, "unknown key 'adresses'; did you mean 'addresses'?"),
        ({"files": []}, "files is "),
        ({"format": "idy"}, "format is 'idy'; did you mean 'idx'?"),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_manifest(tmp_path, "mnist", mnist_files(), **change)
    with pytest.raises(ParamsError) as error:
        read_manifest(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


def test_a_manifest_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "cifar10", cifar_files())
    section = SOURCES["imdb"][0](name="imdb", path=str(path))
    with pytest.raises(DataError, match="describes images, but 'imdb' is a data set of texts"):
        registry.fetch(section, tmp_path / "raw")


def test_the_list_tells_what_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    FOLDER.mkdir(parents=True)
    for name in ("mnist", "ptb"):
        write_manifest(FOLDER, name, CANONICAL[name][0])
    place = tmp_path / "mirror" / "mnist"
    place.mkdir(parents=True)
    for file, content in CANONICAL["mnist"][0].items():
        (place / file).write_bytes(content)
    monkeypatch.setenv("GENLINE_MIRROR", str(tmp_path / "mirror"))
    assert is_here("mnist", read_manifest(FOLDER / "mnist.yaml"))
    datasets.run()
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "here" in lines["mnist"]
    assert "CC BY-SA 3.0" in lines["mnist"]
    assert "to fetch" in lines["ptb"]
    assert "LDC" in lines["ptb"]
    assert "digits" in lines
