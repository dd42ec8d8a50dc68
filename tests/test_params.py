"""crosscam.params: every fault of a file, and the values that DVC would record."""

from __future__ import annotations

import math
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from dvc.utils.serialize import YAMLError, parse_yaml
from hypothesis import given
from hypothesis import strategies as st

from crosscam.params import (
    Count,
    FileName,
    Fraction,
    NonNegative,
    ParamsError,
    PathName,
    Positive,
    Seed,
    Within,
    parse_params,
    read_params,
)


@dataclass(frozen=True)
class Sgd:
    lr: Positive
    momentum: Fraction


@dataclass(frozen=True)
class Train:
    rounds: Count
    sgd: Sgd
    size: tuple[int, int]
    linkage: Literal["average", "single"]
    rerank: bool
    options: dict[str, int]
    steps: tuple[Count, ...]
    clusters: Count | None

    def __post_init__(self) -> None:
        if self.rounds == 13:
            raise ValueError("rounds: must not be 13, got 13\nsize: nor this")


@dataclass(frozen=True)
class Params:
    seed: Seed
    train: Train


TEXT = """\
seed: 7
train:
  rounds: 40
  sgd: {lr: 1e-05, momentum: 1}
  size: [256, 128]
  linkage: average
  rerank: true
  options: {a: 1}
  steps: []
  clusters: null
extract: {other: stage}
"""


def edited(**changes: str) -> str:
    """Return TEXT with the values of some keys replaced."""
    lines = TEXT.splitlines()
    for key, value in changes.items():
        starts = [line.strip().partition(":")[0] for line in lines]
        row = starts.index(key)
        lines[row] = f"{lines[row].partition(':')[0]}: {value}"
    return "\n".join(lines)


def faults(text: str) -> list[str]:
    with pytest.raises(ParamsError) as caught:
        parse_params(text, Params, "p.yaml")
    return str(caught.value).splitlines()


def one(hint: Any) -> Any:
    return make_dataclass("One", [("value", hint)])


def test_reads_every_kind_of_value() -> None:
    params = parse_params(TEXT, Params, "p.yaml")
    assert params.seed == 7
    assert params.train == Train(
        rounds=40,
        sgd=Sgd(lr=1e-05, momentum=1.0),
        size=(256, 128),
        linkage="average",
        rerank=True,
        options={"a": 1},
        steps=(),
        clusters=None,
    )
    assert type(params.train.sgd.momentum) is float


def test_reads_a_file_and_names_it_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    assert read_params(path, Params) == parse_params(TEXT, Params, "p.yaml")
    path.write_text(edited(seed="-1"))
    with pytest.raises(ParamsError, match=r"params\.yaml: seed: must be at least 0"):
        read_params(path, Params)


@pytest.mark.parametrize("data", [None, b"seed: \xff"])
def test_names_a_file_that_cannot_be_read(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "params.yaml"
    if data:
        path.write_bytes(data)
    with pytest.raises(ParamsError, match=r"params\.yaml: cannot be read"):
        read_params(path, Params)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"seed": "1.0"}, "seed: expected int, got 1.0"),
        ({"seed": "true"}, "seed: expected int, got True"),
        ({"seed": "4294967296"}, "seed: must be at least 0 and at most 4.29497e+09"),
        ({"rounds": "0"}, "train.rounds: must be at least 1, got 0"),
        ({"rounds": "13"}, "train: rounds: must not be 13, got 13"),
        ({"rerank": "on"}, "train.rerank: expected bool, got 'on'"),
        ({"rerank": "1"}, "train.rerank: expected bool, got 1"),
        ({"size": "256"}, "train.size: expected a list, got 256"),
        ({"size": "[256]"}, "train.size: expected 2 values, got [256]"),
        ({"size": "[256, big]"}, "train.size[1]: expected int, got 'big'"),
        ({"steps": "[1, 0]"}, "train.steps[1]: must be at least 1, got 0"),
        ({"options": "[1]"}, "train.options: expected a mapping, got [1]"),
        ({"options": "{b: x}"}, "train.options.b: expected int, got 'x'"),
        ({"clusters": "few"}, "train.clusters: expected int, got 'few'"),
        ({"clusters": "0"}, "train.clusters: must be at least 1, got 0"),
        (
            {"linkage": "averages"},
            "['average', 'single'], got 'averages', did you mean",
        ),
        ({"linkage": "[average]"}, "['average', 'single'], got ['average']"),
        ({"sgd": "0.1"}, "train.sgd: expected a mapping, got 0.1"),
        ({"sgd": "{lr: 0, momentum: 0}"}, "train.sgd.lr: must be above 0, got 0.0"),
        ({"sgd": "{lr: .inf, momentum: 0}"}, "train.sgd.lr: must be finite, got inf"),
        ({"sgd": "{lr: .nan, momentum: 0}"}, "train.sgd.lr: must be finite, got nan"),
        ({"sgd": "{lr: 1, momentum: 2}"}, "at least 0 and at most 1, got 2.0"),
        (
            {"sgd": "{lr: '0.1', momentum: 1}"},
            "train.sgd.lr: expected float, got '0.1'",
        ),
        (
            {"sgd": "{lr: 0.1, momentum: null}"},
            "sgd.momentum: expected float, got None",
        ),
    ],
)
def test_one_bad_value(changes: dict[str, str], fault: str) -> None:
    found = faults(edited(**changes))
    assert found[0].startswith("p.yaml: ")
    assert fault in found[0]


def test_reports_every_fault_at_once() -> None:
    text = edited(seed="-1", rounds="many", size="[1]", linkage="mean")
    text = text.replace("rerank:", "rerang:")
    assert faults(text) == [
        "p.yaml: seed: must be at least 0 and at most 4.29497e+09, got -1",
        "p.yaml: train.rerang: unknown key, did you mean 'rerank'?",
        "p.yaml: train.rounds: expected int, got 'many'",
        "p.yaml: train.size: expected 2 values, got [1]",
        "p.yaml: train.linkage: must be one of ['average', 'single'], got 'mean'",
        "p.yaml: train.rerank: missing key: is 'rerang' meant to be it?",
    ]


def test_every_line_of_a_post_init_is_a_fault_of_its_own() -> None:
    assert faults(edited(rounds="13"))[1] == "p.yaml: train: size: nor this"


def test_missing_sections_do_not_hide_faults_in_the_others() -> None:
    assert faults("seed: -1\ntrains: {}") == [
        "p.yaml: train: missing key: is 'trains' meant to be it?",
        "p.yaml: seed: must be at least 0 and at most 4.29497e+09, got -1",
    ]


def test_another_stage_s_section_is_not_taken_for_a_slip() -> None:
    with pytest.raises(ParamsError, match="inter: missing key: add it"):
        parse_params("intra: 1", make_dataclass("P", [("inter", int)]), "p")


def test_unknown_key_without_a_near_one_lists_the_known() -> None:
    text = TEXT.replace("momentum", "zeal")
    assert "p.yaml: train.sgd.zeal: unknown key: known are ['lr', 'momentum']" in (
        faults(text)
    )


@pytest.mark.parametrize("text", ["", "- a", "a"])
def test_not_a_mapping(text: str) -> None:
    assert "expected a mapping of sections, got" in faults(text)[0]


@pytest.mark.parametrize("text", ["a: [", "a: 2024-13-01", "a: 1\na: 2", "a: *x"])
def test_not_yaml(text: str) -> None:
    assert faults(text)[0].startswith("p.yaml: is not valid YAML: ")


def test_an_integer_beyond_every_float_is_not_finite() -> None:
    with pytest.raises(ParamsError, match="value: must be finite, got inf"):
        parse_params(f"value: {10**400}", one(float), "p")


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("3.5", 3.5), ("auto", "auto"), ("null", None)]
)
def test_unions_take_what_fits(text: str, value: object) -> None:
    found = parse_params(f"value: {text}", one(int | float | str | None), "p")
    assert (found.value, type(found.value)) == (value, type(value))


def test_unions_say_why_no_option_fits() -> None:
    union = Annotated[int, Within(2)] | Literal["auto"]
    with pytest.raises(ParamsError) as caught:
        parse_params("value: 1", one(union), "p")
    assert str(caught.value) == (
        "p: value: must be at least 2, got 1, or value: must be one of ['auto'], got 1"
    )


def test_literals_do_not_mix_number_types() -> None:
    for text in ("true", "1.0", "'1'"):
        with pytest.raises(ParamsError, match=r"must be one of \[1, 2\]"):
            parse_params(f"value: {text}", one(Literal[1, 2]), "p")
    assert parse_params("value: 1", one(Literal[1, 2]), "p").value == 1


def test_ranges_include_their_ends_unless_above() -> None:
    assert Within(0, 1).fault(0) is None
    assert Within(0, 1).fault(1) is None
    assert Within(0, above=True).fault(0) == "must be above 0, got 0"
    for hint, low in ((NonNegative, "0"), (Fraction, "0"), (Count, "1")):
        parse_params(f"value: {low}", one(hint), "p")


NUMBERS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "+", "-"]),
        st.sampled_from(["0", "5", "10", "010", "1_000", "0x1f", "0o17", "0b11", ""]),
        st.sampled_from(["", ".", ".5", ".50"]),
        st.sampled_from(["", "e3", "E-05", "e-05", "e+10", "e", "_"]),
    ),
)
BOOLEANS = ["on", "off", "yes", "No", "y", "true", "True", "TRUE", "tRue"]
OTHERS = ["null", "~", "Null", ".inf", "-.INF", ".nan", "1:30", "2024-01-02", "'on'"]
MORE = ['"1e-05"', "1,5", "=", "<<", "0b2", "08", "0o8", "1__0", "[1]", "{}"]


@given(st.one_of(NUMBERS, st.sampled_from(BOOLEANS + OTHERS + MORE)))
def test_reads_the_value_that_dvc_records(scalar: str) -> None:
    """DVC writes what it reads to dvc.lock: code must not run on anything else."""
    try:
        recorded = parse_yaml(f"value: {scalar}", "p")["value"]
    except (YAMLError, ValueError):  # ruamel lets the ValueError of int("-") out
        recorded = None
    kind = type(recorded)
    if kind in {int, bool, str} or (kind is float and math.isfinite(recorded)):
        read = parse_params(f"value: {scalar}", one(kind), "p").value
        assert (type(read), read) == (kind, recorded)
    for other in {int, float, bool, str} - {kind, float if kind is int else kind}:
        with pytest.raises(ParamsError):
            parse_params(f"value: {scalar}", one(other), "p")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-05", 1e-05),
        ("5e-4", 5e-4),
        (".5", 0.5),
        ("1_000", 1000),
        ("010", 10),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
    ],
)
def test_scalars_that_yaml_1_1_reads_otherwise(text: str, value: object) -> None:
    found = parse_params(f"value: {text}", one(type(value)), "p").value
    assert found == value
    assert found == parse_yaml(f"value: {text}", "p")["value"]


# Values and texts that are hostile


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        (f"0x{'f' * 10_000}", "must fit into 64 bits, got 40000 bits of a number"),
        ("9" * 200, "must fit into 64 bits, got 665 bits of a number"),
        (str(2**63), f"must fit into 64 bits, got {2**63}"),
        ("&a [*a]", "expected int, got [[[[...]]]]"),
        (f'"{"x" * 5000}"', "expected int, got 'xxx"),
    ],
)
def test_values_are_shown_shortly(seed: str, told: str) -> None:
    (fault,) = faults(TEXT.replace("seed: 7", f"seed: {seed}"))
    assert f"p.yaml: seed: {told}" in fault
    assert len(fault) < 300


def test_a_key_of_many_lines_takes_one() -> None:
    (fault,) = faults(TEXT.replace("  rounds: 40", '  "a\\nb": 1\n  rounds: 40'))
    assert r"train.'a\nb': unknown key" in fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "a: 1\na: 2",
            'while constructing a mapping, found duplicate key "a", in line 2',
        ),
        ("a: &x 1\nb: &x 2", "found duplicate anchor 'x'"),
        ('a: !!int ""', "a value that does not suit its tag, IndexError"),
        ("a: " + "[" * 101, "brackets or lists within one another, too deep"),
        ("- " * 5000, "brackets or lists within one another, too deep"),
        ("a: !!python/name:os.system x", "could not determine a constructor"),
    ],
)
def test_what_yaml_stumbles_over_takes_one_line(text: str, told: str) -> None:
    (fault,) = faults(text)
    assert fault.startswith(f"p.yaml: is not valid YAML: {told}")


def test_a_file_of_megabytes_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("#" * 2**20 + "#")
    with pytest.raises(ParamsError, match="has more than 1,048,576 bytes"):
        read_params(tmp_path / "params.yaml", Params)


@dataclass(frozen=True)
class Files:
    file: FileName
    path: PathName


def test_names_of_files() -> None:
    text = "file: a b.zip\npath: a/b"
    assert parse_params(text, Files, "p") == Files("a b.zip", "a/b")


@pytest.mark.parametrize("name", ["", " ", "a/b", "..", ".", "/a", '"a\\0"', '"a\\n"'])
def test_what_is_no_name_of_a_file(name: str) -> None:
    with pytest.raises(
        ParamsError, match="file: must be the name of a file, without a"
    ):
        parse_params(
            f"file: {name if name.strip() else repr(name)}\npath: a", Files, "p"
        )


@pytest.mark.parametrize("name", ["", " ", '"a\\0"', '"a\\n"'])
def test_what_is_no_path(name: str) -> None:
    with pytest.raises(ParamsError, match="path: must be the path of a file or folder"):
        parse_params(
            f"path: {name!r}\nfile: a"
            if not name.strip()
            else f"path: {name}\nfile: a",
            Files,
            "p",
        )
