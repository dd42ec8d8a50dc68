"""After `make clean-data`, no byte of an image is left in a real DVC repository."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import clean_data
from experiments.derived import Places
from experiments.given import CleanError, Known, known
from experiments.staying import is_cached
from tests.repository import ROOT
from tests.test_pipeline import Clone, objects

pytestmark = pytest.mark.pipeline

ZIP = "data/mine/raw/mine.zip"
PARAMS = "archive: data/synthetic/raw/synthetic.zip\nseed: 0\n"
OUTS = ("data/packed/images.bin", "models/inter.safetensors", "plots/ranked.png")
PIPELINE = f"""
stages:
  unzip:
    cmd: python pack.py
    deps: [pack.py, "${{archive}}"]
    params: [archive, seed]
    outs: [{OUTS[0]}: {{push: false}}, {OUTS[1]}, {OUTS[2]}]
    metrics: [metrics/evaluate.json: {{cache: false}}]
"""
# It writes what it read into every output, as an unfinished run into .runs, and as one
# that was killed.
PACK = """
import pathlib, re
params = pathlib.Path("params.yaml").read_text()
archive = pathlib.Path(re.search("archive: (.*)", params)[1])
seed = re.search("seed: (.*)", params)[1].encode()
for name in (*OUTS, "data/.features.npz.x.tmp"):
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode() + archive.read_bytes() + seed)
metrics = pathlib.Path("metrics/evaluate.json")
metrics.write_text('{"mAP": %d}' % archive.stat().st_size)
"""


def photograph() -> bytes:
    """Return a JPEG."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


MARK = photograph()[1000:1064]


def holding(folder: Path) -> Iterator[str]:
    """Yield the files that hold a piece of the photograph, as it is or compressed."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if folder / ".git/objects" in path.parents and len(path.parent.name) == 2:
            data = zlib.decompress(data)
        if MARK in data:
            yield path.relative_to(folder).as_posix()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a repository whose store holds its run, as committed."""
    made = Clone(tmp_path_factory.mktemp("published") / "clone")
    for path in (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore"):
        write(made, path, (ROOT / path).read_bytes())
    write(made, "dvc.yaml", PIPELINE.encode())
    write(made, "pack.py", f"OUTS = {OUTS}{PACK}".encode())
    write(made, "params.yaml", PARAMS.encode())
    write(made, "metrics/.gitkeep", b"")
    write(made, "models/weights/start.safetensors", b"weights")
    write(made, "data/synthetic/raw/synthetic.zip", b"drawings")
    made.run("git", "init", "--quiet", "--initial-branch=main")
    made.dvc("repro")
    for md5 in made.hashes().values():
        name = f"files/md5/{md5[:2]}/{md5[2:]}"
        data = (made.folder / ".dvc/cache" / name).read_bytes()
        write(made, f".dvc-store/{name}", data)
    made.run("git", "add", "--force", ".dvc-store")
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message=published")
    return made


@pytest.fixture(scope="module")
def used(published: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return one with runs on the photograph, a queued experiment, and a push."""
    made = Clone(tmp_path_factory.mktemp("used") / "clone")
    shutil.copytree(published.folder, made.folder)
    write(made, ZIP, b"a zip of " + photograph())
    made.set_param("data/synthetic/raw/synthetic.zip", ZIP)
    made.dvc("repro")
    made.dvc("push")  # nowhere else, so into the store of the repository
    made.dvc("exp", "run", "--name=one", "-S", "seed=1")
    made.dvc("exp", "run", "--name=two", "-S", "seed=2", "--queue")
    write(made, ".dvc/tmp/exps/tmpabc/data/packed/images.bin", photograph())
    for path in (".runs/intra-0/state.safetensors", "reports/report.html"):
        write(made, path, photograph())
    return made


@pytest.fixture
def here(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Clone:
    """Return a copy of one of the two, as the current folder."""
    source = request.getfixturevalue(getattr(request, "param", "published"))
    # The command's own commands see nobody's settings, as those of `Clone.run`.
    settings = tmp_path / "settings"
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(settings / "global"))
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(settings / "system"))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(settings / "cache"))
    monkeypatch.delenv("CROSSCAM_RUNS", raising=False)
    shutil.copytree(source.folder, tmp_path / "clone")
    monkeypatch.chdir(tmp_path / "clone")
    return Clone(tmp_path / "clone")


on_people = pytest.mark.parametrize("here", ["used"], indirect=True)


def write(clone: Clone, path: str, data: bytes) -> None:
    (clone.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (clone.folder / path).write_bytes(data)


@on_people
def test_no_byte_is_left_but_the_zip(
    here: Clone, published: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [*holding(here.folder)]
    for place in (*OUTS, ".dvc/cache", ".dvc/tmp", ".dvc-store", ".runs", "reports"):
        assert any(path.startswith(place) for path in before), place
    clean_data.main(["--force"])
    told = capsys.readouterr().out
    assert [*holding(here.folder.parent)] == [f"clone/{ZIP}"]
    for line in ("data/packed: 1 file,", "dvc.lock: as committed again", ".runs: 1"):
        assert line in told
    assert "/one: experiment" in told
    assert here.run("git", "for-each-ref", "refs/exps") == ""
    assert here.run("git", "status", "--porcelain") == " M params.yaml\n"
    assert (here.folder / "models/weights/start.safetensors").exists()
    assert told.endswith("Removed. The published run: dvc pull -r embedded\n")

    here.dvc("pull", "--remote=embedded")
    here.run("git", "checkout", "--quiet", "params.yaml")
    assert here.hashes() == published.hashes()
    assert "drawings" in (here.folder / OUTS[0]).read_text()
    assert "up to date" in here.dvc("status")
    assert {*published.hashes().values()} == objects(here.folder / ".dvc-store")


@on_people
def test_raw_archives_go_when_asked_for(here: Clone) -> None:
    clean_data.main(["--force", "--raw"])
    assert [*holding(here.folder.parent)] == []
    assert not (here.folder / ZIP).parent.exists()


def test_nothing_is_removed_without_a_yes(
    here: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {path for path in here.folder.rglob("*") if ".git" not in path.parts}
    for answer in ("", "y\n"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        with pytest.raises(SystemExit, match="nothing was removed: type yes"):
            clean_data.main([])
    now = {path for path in here.folder.rglob("*") if ".git" not in path.parts}
    assert there <= now
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    clean_data.main([])
    assert not (here.folder / OUTS[0]).exists()


@pytest.mark.long
def test_nothing_is_removed_while_dvc_works(here: Clone) -> None:
    work = {"write": {OUTS[0]: {"pid": os.getpid(), "cmd": "dvc repro"}}}
    write(here, ".dvc/tmp/rwlock", json.dumps(work).encode())
    with pytest.raises(SystemExit, match=r"DVC is at work \(process \d+\): nothing"):
        clean_data.main(["--force"])
    assert (here.folder / OUTS[0]).exists()
    gone = {"write": {OUTS[0]: {"pid": 2**22 + 1, "cmd": "dvc repro"}}}
    write(here, ".dvc/tmp/rwlock", json.dumps(gone).encode())
    clean_data.main(["--force"])


@contextmanager
def at_work(*words: str) -> Iterator[int]:
    """Run a Python program that says when it is ready; give its number meanwhile."""
    command = [sys.executable, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


# As crosscam.locks holds it.
HOLD = """
import fcntl, os, sys, time
file = open(sys.argv[1], "a+")
fcntl.flock(file.fileno(), fcntl.LOCK_EX)
file.write(f"{os.getpid()} on host\\n")
file.flush()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.long
def test_nothing_is_removed_while_training_lives_on(here: Clone) -> None:
    lock = ".runs/intra-0123.lock"
    write(here, lock, b"")
    with at_work("-c", HOLD, lock) as number:
        said = rf"\(process {number} on host holds {lock}\), .* removed: kill {number},"
        with pytest.raises(SystemExit, match=said):
            clean_data.main(["--force"])
    assert (here.folder / OUTS[0]).exists()
    clean_data.main(["--force"])  # a killed one leaves the file, and holds it no more
    assert not (here.folder / OUTS[0]).exists()


@pytest.mark.long
def test_nothing_is_removed_while_another_stage_lives_on(here: Clone) -> None:
    stage = b"import time\nprint('ready', flush=True)\ntime.sleep(600)\n"
    write(here, "stages/unpack.py", stage)
    with (
        at_work("-m", "stages.unpack") as number,
        pytest.raises(SystemExit, match=rf"\(process {number}: stages\.unpack\)"),
    ):
        clean_data.main(["--force"])
    assert (here.folder / OUTS[0]).exists()


@pytest.mark.long
def test_a_dataset_elsewhere_in_data_is_raw_too(
    here: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, "data/mine.zip", photograph())
    here.set_param("data/synthetic/raw/synthetic.zip", "data/mine.zip")
    here.dvc("repro")
    here.run("git", "checkout", "--quiet", "params.yaml")
    clean_data.main(["--force"])  # dvc.lock names it
    told = capsys.readouterr().out
    assert "data/mine.zip: a dataset that params.yaml or dvc" in told
    assert "pack.py" not in told  # what else the stage reads is no dataset
    clean_data.main(["--force", "--raw"])  # nothing does
    assert "data/mine.zip: no output of dvc.yaml" in capsys.readouterr().out
    assert [*holding(here.folder)] == ["data/mine.zip"]
    here.set_param("data/synthetic/raw/synthetic.zip", "data/mine.zip")
    clean_data.main(["--force", "--raw"])
    assert [*holding(here.folder)] == []


@pytest.mark.long
def test_a_linked_raw_folder_stays(
    here: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    disk, link = here.folder.parent / "disk", here.folder / "data/mine/raw"
    write(here, "../disk/mine.zip", photograph())
    link.parent.mkdir()
    link.symlink_to(disk)
    clean_data.main(["--force"])
    assert link.readlink() == disk
    capsys.readouterr()
    clean_data.main(["--force", "--raw"])
    assert not link.is_symlink()
    assert f"{disk}: what the link data/mine/raw leads to" in capsys.readouterr().out
    assert [*holding(here.folder.parent)] == ["disk/mine.zip"]


@pytest.mark.long
def test_a_checkpoint_that_no_stage_makes_stays(
    here: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["models/iids.safetensors", "models/weights/mine.safetensors"]
    cut_off = "models/.inter.safetensors.7.abc.tmp"
    for path in (*own, cut_off):
        write(here, path, b"a checkpoint")
    here.dvc("config", "--local", "cache.type", "symlink")
    here.dvc("add", own[0])
    with pytest.raises(SystemExit, match=r"iids\.safetensors: is a link .* unprotect"):
        clean_data.main(["--force", "--raw"])
    assert (here.folder / OUTS[1]).exists()
    here.dvc("unprotect", own[0])
    capsys.readouterr()
    clean_data.main(["--force", "--raw"])
    told = capsys.readouterr().out
    assert told.count("models/iids.safetensors: no output of dvc.yaml: yours to") == 1
    assert "models/weights" not in told
    there = [path for path in (*own, cut_off, OUTS[1]) if (here.folder / path).exists()]
    assert there == own


@pytest.mark.long
def test_an_archive_in_a_folder_that_goes_is_told(here: Clone) -> None:
    write(here, "reports/mine.zip", photograph())
    here.set_param("data/synthetic/raw/synthetic.zip", "reports/mine.zip")
    with pytest.raises(
        SystemExit, match=r"^reports: holds a dataset .* move the dataset"
    ):
        clean_data.main(["--force"])
    assert (here.folder / OUTS[0]).exists()
    clean_data.main(["--force", "--raw"])
    assert [*holding(here.folder)] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("archive: [", "params.yaml: cannot be read, "),
        ("- archive", "params.yaml: must be a mapping, got "),
        ("seed: 0", "params.yaml: archive: must be a path, got None: nothing was"),
    ],
)
def test_what_is_the_users_must_be_known(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(PIPELINE)
    Path("params.yaml").write_text(text)
    with pytest.raises(CleanError, match=re.escape(said)):
        known()
    Path("params.yaml").write_text(PARAMS)
    assert known().outs == {Path(out) for out in (*OUTS, "metrics/evaluate.json")}


def test_what_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outs = frozenset(map(Path, (*OUTS, "note.txt")))
    own = Known(outs, frozenset({tmp_path / "data/photos", tmp_path / "data/a/b.zip"}))
    raw = [
        "data/a",
        "data/photos/0001.jpg",
        "data/a/b.zip",
        "data/x/raw",
        "data/x/raw/y",
    ]
    assert [path for path in raw if not own.is_raw(path)] == []
    made = [*OUTS, "data/packed/old.bin", "data/.features.npz.x.tmp", "plots/old.png"]
    assert [path for path in made if own.is_raw(path) or own.is_own(path)] == []
    users = ["data/photos.zip", "data/packed.zip", "data", "models/weights", "models/a"]
    assert [path for path in users if own.is_raw(path) or not own.is_own(path)] == [
        "data"  # through which the archives are reached
    ]


@pytest.mark.long
def test_a_raw_archive_that_is_only_in_the_cache_stays(here: Clone) -> None:
    write(here, ZIP, photograph())
    here.dvc("config", "--local", "cache.type", "symlink")
    here.dvc("add", ZIP)
    with pytest.raises(SystemExit, match=r"mine\.zip: is a link into DVC's cache"):
        clean_data.main(["--force"])
    (here.folder / ZIP).unlink()
    with pytest.raises(SystemExit, match=r"mine\.zip\.dvc: the file is in DVC's cache"):
        clean_data.main(["--force"])
    here.dvc("config", "--local", "cache.type", "copy")
    here.dvc("checkout", f"{ZIP}.dvc")
    clean_data.main(["--force"])
    assert [*holding(here.folder.parent)] == [f"clone/{ZIP}"]


def test_a_pointer_that_was_never_pulled_is_in_no_cache(tmp_path: Path) -> None:
    pointer, md5 = tmp_path / "mine.zip.dvc", "0123456789abcdef0123456789abcdef"
    pointer.write_text(
        f"outs:\n- md5: {md5}\n  size: 3\n  hash: md5\n  path: mine.zip\n"
    )
    assert not is_cached(pointer, tmp_path)
    cached = tmp_path / "files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"zip")
    assert is_cached(pointer, tmp_path)


@pytest.mark.long
def test_what_is_out_of_reach_is_told(
    here: Clone, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = here.folder.parent / "shared"
    here.dvc("cache", "dir", "--local", str(shared))
    here.dvc("remote", "add", "--local", "mine", str(here.folder.parent / "mine"))
    monkeypatch.setenv("CROSSCAM_RUNS", "elsewhere")
    write(here, ZIP, photograph())
    here.set_param("data/synthetic/raw/synthetic.zip", ZIP)
    here.dvc("repro")
    here.run("git", "commit", "--quiet", "--all", "--message=of my own")
    clean_data.main(["--force"])
    told = capsys.readouterr().out
    assert f"{shared}, DVC's cache: others may use it" in told
    assert "elsewhere, unfinished runs" in told
    assert "the DVC remote 'mine'" in told
    assert "dvc.lock of this commit is of a run of your own" in told
    left = {path.split("/")[0] for path in holding(here.folder.parent)}
    assert left == {"clone", "shared"}


def test_a_cache_that_is_not_within_the_clone_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone/link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path / "clone")
    assert Places(Path("cache").absolute(), [], []).inside()
    for cache in (Path.cwd(), tmp_path, tmp_path / "cache", Path("link")):
        assert not Places(cache, [], []).inside(), cache
