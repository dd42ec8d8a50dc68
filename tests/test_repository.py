"""What the repository promises about itself: honest deps, contracts, size, secrecy."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from crosscam.cluster.pseudo_labels import CutParams
from crosscam.params import read_params
from crosscam.synthetic.plan import World
from crosscam.train.devices import ComputeParams
from crosscam.train.rounds import Setting
from tests.fields import fields_read, unread
from tests.repository import (
    PACKAGES,
    ROOT,
    arguments,
    circle,
    closure,
    committed,
    contract,
    definitions,
    documented,
    ignored,
    imports,
    params_class,
    paths,
    pipeline,
    python_files,
    room_of,
    rooms_and_modules,
    sources,
    tracked,
    written,
    yaml,
)

STAGES = [path.stem for path in sorted((ROOT / "stages").glob("[!_]*.py"))]
MEGABYTE = 10**6
# What the outputs that DVC caches hold. A new one is put into one of these by whoever
# has thought about it: images are never pushed.
IMAGES = {"data/packed/images.bin", "data/features.npz", "plots/ranked.png"}
MADE_OF_IMAGES = {
    "data/packed/index.csv",
    *(f"data/pseudo/{name}.npz" for name in ("intra", "inter")),
    *(f"data/split/{name}.csv" for name in ("train", "query", "gallery", "truth")),
    *(f"models/{name}.safetensors" for name in ("intra", "inter")),
    "plots/embedding.png",
}
DRAWN = {"data/synthetic/raw/synthetic.zip"}  # nobody is in it
REQUIREMENTS = sorted(path.name for path in ROOT.glob("requirements*.txt"))
ENTRY = re.compile(
    r"([a-z0-9-]+)(\[[a-z0-9, -]+\])?==([\w.]+)( ; [^\\\n]+)?"
    r"( \\\n    --hash=sha256:[0-9a-f]{64})+"
)


# The pipeline


def test_every_stage_has_a_script_of_its_name() -> None:
    assert sorted(pipeline()) == STAGES
    for name, stage in pipeline().items():
        assert stage["cmd"] == f"python -m stages.{name}"


@pytest.mark.parametrize("name", STAGES)
def test_code_deps_are_the_import_closure(name: str) -> None:
    """A missing one leaves stale results in place; a spare one retrains for nothing."""
    code = [dep for dep in pipeline()[name]["deps"] if dep.startswith(PACKAGES)]
    absent = [dep for dep in code if not (ROOT / dep).exists()]
    assert not absent, f"{name} depends on files that do not exist: {absent}"
    listed = {path for dep in code for path in python_files(dep)}
    needed = closure(f"stages/{name}.py")
    assert listed == needed, (
        f"stage {name}: not listed {sorted(needed - listed)}, "
        f"not imported {sorted(listed - needed)}. Its code deps are:\n"
        + "".join(f"      - {dep}\n" for dep in rooms_and_modules(needed))
    )


@pytest.mark.parametrize("name", STAGES)
def test_the_docstring_of_a_stage_is_its_contract(name: str) -> None:
    stage = pipeline()[name]
    said = contract(name)
    data = {dep for dep in stage["deps"] if not dep.startswith(PACKAGES)}
    assert said["Reads"] == data - {"requirements.txt"}
    assert said["Writes"] == set(written(stage))
    groups = {param.partition(".")[0] for param in stage.get("params", [])}
    assert said["Params"] == groups
    assert said["Params"] == set(params_class(name).__dataclass_fields__)


def test_docstring_paths_are_expanded() -> None:
    assert paths("a/{b,c}.csv, d.json,\n   e/{f}/{g,h}") == {
        *("a/b.csv", "a/c.csv", "d.json", "e/f/g", "e/f/h"),
    }
    assert paths("models/weights/${weights}") == {"models/weights/${weights}"}
    assert paths("nothing") == set()


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_a_screen(name: str) -> None:
    assert len((ROOT / f"stages/{name}.py").read_text().splitlines()) <= 80


# The parameters


@pytest.mark.parametrize("name", STAGES)
def test_params_yaml_suits_every_stage(name: str) -> None:
    read_params(ROOT / "params.yaml", params_class(name))


@pytest.mark.parametrize("name", ["intra", "inter", "extract"])
def test_of_compute_all_that_moves_a_digit_makes_a_stage_run(name: str) -> None:
    """To lower the other one is the remedy where memory is short: nothing runs anew."""
    params = {param for param in pipeline()[name]["params"] if "." in param}
    fields = {f"compute.{field}" for field in ComputeParams.__dataclass_fields__}
    assert params == fields - {"compute.image_cache_gb"}


def test_every_parameter_is_read() -> None:
    """Each field of each dataclass, by code that has an object of that very class."""
    sections = {field for n in STAGES for field in params_class(n).__dataclass_fields__}
    for key in yaml("params.yaml"):
        assert key in sections, f"params.yaml: no stage reads {key}"
    reads = fields_read()
    for name in STAGES:
        assert unread(params_class(name), reads) == [], f"stage {name}"


def test_a_parameter_that_nothing_reads_is_found() -> None:
    reads = fields_read()
    # The seed of training and that of the bootstrap share their name with this one.
    assert (World, "seed") in reads
    found = unread(params_class("synthesize"), reads - {(World, "seed")})
    assert found == ["synthesize.seed"]
    found = unread(params_class("inter"), reads - {(CutParams, "min_size")})
    assert found == ["intra.clusters.min_size", "inter.clusters.min_size"]


def test_a_field_may_be_read_through_the_class_that_it_is_inherited_from() -> None:
    intra, inter = params_class("intra"), params_class("inter")
    reads = fields_read()
    assert (Setting, "optim") in reads
    assert (intra, "optim") not in reads
    spared = reads - {(Setting, "optim")}
    assert unread(intra, spared) == ["optim"]
    # By another stage's class, which inherits it as well, it is not.
    assert unread(intra, spared | {(inter, "optim")}) == ["optim"]
    assert unread(intra, spared | {(intra, "optim")}) == []
    assert unread(Setting, spared | {(inter, "optim")}) == []
    # A field of the same name elsewhere is another one.
    assert unread(intra, spared | {(World, "optim")}) == ["optim"]


# The code


def test_imports_follow_the_rooms() -> None:
    layers = (
        {
            *("crosscam.params", "crosscam.files", "crosscam.kernel", "crosscam.room"),
            *(
                "crosscam.processes",
                "crosscam.shares",
                "crosscam.locks",
                "crosscam.program",
                "crosscam.runs",
            ),
            *("crosscam.helpers", "crosscam.stage"),
        },
        {"crosscam.model", "crosscam.cluster", "crosscam.data", "crosscam.recipes"},
        {"crosscam.train", "crosscam.rank", "crosscam.draw", "crosscam.synthetic"},
        {"crosscam.experiment", "crosscam.report"},
        {"stages"},
        {"recipes"},
        {"experiments"},
    )
    level = {room: i for i, rooms in enumerate(layers) for room in rooms}
    for path in sources():
        for target in imports(path):
            here, there = room_of(path), room_of(target)
            assert level[there] <= level[here], f"{path} must not import {target}"
            assert here != "stages" or there != "stages", f"{path} imports {target}"


def test_rooms_and_modules_import_each_other_in_no_circle() -> None:
    modules = {path: imports(path) for path in sources()}
    assert circle(modules) is None
    rooms: dict[str, set[str]] = {}
    for path, targets in modules.items():
        here = rooms.setdefault(room_of(path), set())
        here |= {room_of(target) for target in targets} - {room_of(path)}
    assert circle(rooms) is None


def test_circles_are_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) is None
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_package_files_hold_a_docstring_and_nothing_else() -> None:
    """So that importing one room never reaches another, and no dep is left out."""
    files = [path for top in PACKAGES for path in (ROOT / top).rglob("__init__.py")]
    assert files
    for path in files:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        assert len(tree.body) == 1, path


@pytest.mark.parametrize("path", sorted(Path(p) for p in PACKAGES), ids=str)
def test_documented_parameters_are_those_of_the_signature(path: Path) -> None:
    found = [(p, d) for p in python_files(str(path)) for d in definitions(p)]
    assert found
    for source, node in found:
        said = documented(node)
        where = f"{source}:{node.lineno}: {node.name}"
        assert not said or said == arguments(node), where


# What git holds


@pytest.mark.parametrize(
    "path",
    [
        "data/market1501/raw/Market-1501-v15.09.15.zip",
        "data/anything/raw/mine.zip",
        "data/mine/raw/mine/query/a.jpg",  # a folder of images
        "data/packed/images.bin",
        "data/split/truth.csv",
        "data/features.npz",
        "models/inter.safetensors",
        "models/weights/resnet50.safetensors",
        "plots/ranked.png",
        ".dvc-store/files/md5/00/00",
        ".dvc/config.local",
        ".dvc/cache/files/md5/00/00",
        ".runs/intra-0/state",
        "reports/report.html",
        ".venv/bin/python",
        ".venv-servers/bin/python",
    ],
)
def test_git_ignores_what_is_not_ours_to_publish(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize(
    "path",
    [
        "data/market1501/raw/Market-1501-v15.09.15.zip.dvc",
        "metrics/evaluate.json",
        "plots/cmc.json",
        "dvc.lock",
    ],
)
def test_git_does_not_ignore_what_belongs_in_it(path: str) -> None:
    assert not ignored(path)


def test_images_and_features_are_never_pushed() -> None:
    cached, held_back = set(), set()
    for stage in pipeline().values():
        for kind in ("outs", "metrics", "plots"):
            for entry in stage.get(kind, []):
                (path,) = [entry] if isinstance(entry, str) else entry
                options = {} if isinstance(entry, str) else entry[path]
                cached |= {path} if options.get("cache", True) else set()
                held_back |= {path} if not options.get("push", True) else set()
    assert cached == IMAGES | MADE_OF_IMAGES | DRAWN, "say what a new output holds"
    assert held_back == IMAGES
    assert "plots" not in yaml("dvc.yaml"), "`dvc exp save` forces them into git"
    section = (ROOT / "docs/remotes.md").read_text().split("## What never leaves")[1]
    for path in held_back:
        assert f"`{path}`" in section.split("## ")[0]


def test_the_only_pictures_in_git_are_of_the_synthetic_dataset() -> None:
    """By their first bytes; pages with pictures in them are told by their text."""
    starts = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"PK\3\4", b"\x93NUMPY")
    found = set()
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if not path.startswith(".dvc-store/") and data.startswith(starts):
            found.add(path)
        assert b"data:image/" + b"jpeg" not in data, path
    names = ("compare", "hot_paths", "phone", "plots", "report", "sparse", "synthetic")
    assert found == {f"docs/{name}.png" for name in names}


def test_the_metrics_in_git_are_of_the_archive_that_is_locked() -> None:
    """`dvc commit` takes whatever file is there, also one of before a change."""
    told = json.loads(committed("metrics/unzip.json"))
    deps = YAML(typ="safe", pure=True).load(committed("dvc.lock"))["stages"]["unzip"]
    (locked,) = (dep for dep in deps["deps"] if dep["path"].endswith(".zip"))
    assert (told["file"], told["md5"]) == (Path(locked["path"]).name, locked["md5"])


# What is installed


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_one_version_with_its_hashes(name: str) -> None:
    head, rest = (ROOT / name).read_text().split("make requirements\n")
    assert head.startswith("# This file was autogenerated by uv")
    whole = rest.removeprefix("-r requirements.txt\n")
    assert (whole != rest) == (name == "requirements-dev.txt")
    entries = whole.replace(" \\\n", "\0").splitlines()
    assert entries
    for entry in entries:
        assert ENTRY.fullmatch(entry.replace("\0", " \\\n")), entry.split("\0")[0]


def test_the_environments_agree_on_versions() -> None:
    """pip would refuse two versions; DVC with its plugins is to be the same DVC."""
    versions: dict[tuple[str, str], set[str]] = {}
    for name in (
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-servers.txt",
    ):
        for match in ENTRY.finditer((ROOT / name).read_text()):
            versions.setdefault((match[1], match[4] or ""), set()).add(match[3])
    assert ("dvc", "") in versions
    assert not [name for name, several in versions.items() if len(several) > 1]


def test_nothing_is_installed_without_its_hash() -> None:
    text = (ROOT / "Makefile").read_text()
    (command,) = re.findall(r".*pip install.*", text)
    assert command.startswith("PIP_INSTALL := ")
    for option in ("--require-hashes", "--no-build-isolation"):
        assert option in command
    for name in (
        "requirements.txt",
        "requirements-servers.txt",
        "requirements-moto.txt",
        "requirements-bench.txt",
    ):
        assert "\nsetuptools==" in (ROOT / name).read_text(), "it builds the others"


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        ("echo 'No known vulnerabilities found'", 2, "gives no answer: nothing was"),
        ("echo 'No route to host'; exit 1", 2, "No route to host\naudit: the list of"),
        ("grep -q pyyaml==5.3 $0 && FOUND; exit 0", 0, ""),
        ("FOUND", 2, "audit: known faults, or no answer, for requirements-audit.txt"),
    ],
)
def test_an_audit_without_an_answer_fails(
    tmp_path: Path, answer: str, status: int, told: str
) -> None:
    program = tmp_path / "venv-audit/bin/pip-audit"
    program.parent.mkdir(parents=True)
    found = "{ echo 'Found 2 known vulnerabilities in 1 package'; exit 1; }"
    asked = answer.replace("$0", '"${@: -1}"').replace("FOUND", found)
    program.write_text(f"#!/bin/bash\n{asked}\n")
    program.chmod(0o755)
    made = program.parents[1] / ".made"
    made.touch()
    command = ["make", "--no-print-directory", "audit", f"VENV={tmp_path}/venv"]
    done = subprocess.run(
        [*command, f"--old-file={made}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert told in done.stderr
    if not status:
        assert [f"== {name}" for name in REQUIREMENTS] == done.stdout.splitlines()


def test_tracked_files_are_small() -> None:
    sizes = {path: (ROOT / path).stat().st_size for path in tracked()}
    store = {path for path in sizes if path.startswith(".dvc-store/")}
    large = {path for path in sizes if sizes[path] > 5 * MEGABYTE} - store
    assert not large
    assert sum(sizes[path] for path in store) <= 32 * MEGABYTE


def test_tracked_files_name_no_machine_and_no_index() -> None:
    # The brackets keep this list from finding itself.
    private = re.compile(
        r"/[w]ork/|/[r]oot/|/[h]ome/|/[U]sers/|/[o]pt/|(?<!\.dvc)/[t]mp/"
        r"|[p]ypi\.org|[p]ythonhosted|download\.[p]ytorch\.org"
        r"|--[i]ndex-url|--[e]xtra-index|--[f]ind-links"
    )
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if path.startswith(".dvc-store/") or b"\0" in data:
            continue
        found = private.search(data.decode())
        assert not found, f"{path}: {found}"


def test_an_unsupported_python_gets_one_line(tmp_path: Path) -> None:
    command = ["make", "--no-print-directory", "repro", "PYTHON=false"]
    command.append(f"VENV={tmp_path}/venv")
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "crosscam needs Python 3.11 to 3.14, found 'false': install one" in line
    assert not (tmp_path / "venv").exists()
