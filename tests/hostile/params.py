"""Parameter files that must be refused."""

from __future__ import annotations

from pathlib import Path

from tests.hostile.case import cases


def edited(folder: Path, old: str, new: str) -> None:
    """Replace a text of params.yaml that occurs in it once."""
    path = folder / "params.yaml"
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def with_window(folder: Path, window: str) -> None:
    """Put something else in the place of the window."""
    edited(folder, "window: [0.0, 1.0]", f"window: {window}")


def instead(folder: Path, text: str) -> None:
    """Put a text in the place of params.yaml."""
    (folder / "params.yaml").write_text(text)


# The file


def no_file(folder: Path) -> None:
    """No params.yaml."""
    (folder / "params.yaml").unlink()


def folder_for_a_file(folder: Path) -> None:
    """A folder that is called params.yaml."""
    (folder / "params.yaml").unlink()
    (folder / "params.yaml").mkdir()


def empty_file(folder: Path) -> None:
    """A file without a byte."""
    instead(folder, "")


def not_utf8(folder: Path) -> None:
    """A file in UTF-16, as some editors save it."""
    (folder / "params.yaml").write_bytes("split: 1".encode("utf-16"))


def list_for_a_mapping(folder: Path) -> None:
    """A list where the sections should be."""
    instead(folder, "- split\n- model\n")


def unclosed_bracket(folder: Path) -> None:
    """A bracket that is never closed."""
    with_window(folder, "[0.0, 1.0")


def key_given_twice(folder: Path) -> None:
    """A key that is there twice, with two values."""
    edited(folder, "split:\n", "split:\n  window: [0.0, 0.5]\n")


def two_documents(folder: Path) -> None:
    """Two YAML documents in one file."""
    instead(folder, "split: {}\n---\nsplit: {}\n")


def conflict_of_a_merge(folder: Path) -> None:
    """What git leaves behind where two branches changed one line."""
    edited(folder, "split:\n", "<<<<<<< HEAD\nsplit:\n=======\n>>>>>>> idea\n")


# Code and bombs


def code_in_a_tag(folder: Path) -> None:
    """A tag that makes a careless reader call a function."""
    with_window(folder, '!!python/object/apply:os.system ["touch ../canary/evil"]')


def tag_without_a_value(folder: Path) -> None:
    """A tag of YAML itself on an empty text, over which its reader stumbles."""
    with_window(folder, '[!!int "", 1.0]')


def billion_laughs(folder: Path) -> None:
    """Some lines that stand for a billion values."""
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    lines.append("split: {window: *a9, train_lists: [train]}")
    instead(folder, "\n".join(lines))


def list_in_itself(folder: Path) -> None:
    """A list that holds itself."""
    with_window(folder, "&a [*a, *a, *a]")


def anchor_given_twice(folder: Path) -> None:
    """Two anchors of one name, of which YAML takes the later."""
    edited(folder, "split:\n", "first: &a 1\nsecond: &a 2\nsplit:\n")


def a_thousand_brackets(folder: Path) -> None:
    """Lists in lists, a thousand deep."""
    with_window(folder, "[" * 1_000)


def number_of_ten_thousand_digits(folder: Path) -> None:
    """A number that Python refuses to print."""
    with_window(folder, f"[0, 0x{'f' * 10_000}]")


def key_of_many_lines(folder: Path) -> None:
    """An unknown key that would fill the terminal and change its colours."""
    key = r"\n\e[31mevil" * 50
    edited(folder, "  window: [0", f'  "{key}": 1\n  window: [0')


# Keys


def missing_section(folder: Path) -> None:
    """A whole section left out."""
    instead(folder, "seed: 1\n")


def misspelt_section(folder: Path) -> None:
    """A section of nearly the right name."""
    edited(folder, "split:\n", "splits:\n")


def unknown_key(folder: Path) -> None:
    """A key that nothing reads, nearly one that is read."""
    edited(folder, "  window: [0", "  windows: 3\n  window: [0")


def missing_key(folder: Path) -> None:
    """A key left out."""
    edited(folder, "  train_lists: [train]", "  ")


# Values


def text_for_a_list(folder: Path) -> None:
    """A text where a list should be."""
    with_window(folder, "whole")


def text_for_a_number(folder: Path) -> None:
    """A number in quotes."""
    with_window(folder, '[0.0, "1.0"]')


def three_for_two(folder: Path) -> None:
    """A list of three values where there are two."""
    with_window(folder, "[0, 0.5, 1]")


def yes_for_a_number(folder: Path) -> None:
    """True, which Python takes for 1."""
    with_window(folder, "[0, true]")


def infinite_value(folder: Path) -> None:
    """A number that is infinite."""
    with_window(folder, "[0, .inf]")


def not_a_number(folder: Path) -> None:
    """A number that is none."""
    with_window(folder, "[.nan, 1]")


def overflowing_number(folder: Path) -> None:
    """A number that is too large for a float and becomes infinite."""
    with_window(folder, "[0, 1e999]")


def below_the_range(folder: Path) -> None:
    """A negative fraction."""
    with_window(folder, "[-0.5, 1]")


def above_the_range(folder: Path) -> None:
    """A fraction above 1."""
    with_window(folder, "[0, 100]")


def window_upside_down(folder: Path) -> None:
    """A window that ends before it begins."""
    with_window(folder, "[0.7, 0.2]")


def list_of_the_test_set(folder: Path) -> None:
    """Training on the queries."""
    edited(folder, "train_lists: [train]", "train_lists: [train, query]")


def date_for_a_number(folder: Path) -> None:
    """A date, which YAML makes of some texts."""
    with_window(folder, "[2024-01-01, 1]")


def all_faults_at_once(folder: Path) -> None:
    """Four faults in one section."""
    edited(
        folder,
        "  window: [0.0, 1.0]",
        "  window: [-1, .inf]\n  windw: 1\n  train_list: []",
    )
    edited(folder, "  train_lists: [train]", "  ")


SPLIT = cases(
    "params",
    "stages.split",
    no_file,
    folder_for_a_file,
    empty_file,
    not_utf8,
    list_for_a_mapping,
    unclosed_bracket,
    key_given_twice,
    two_documents,
    conflict_of_a_merge,
    code_in_a_tag,
    tag_without_a_value,
    billion_laughs,
    list_in_itself,
    anchor_given_twice,
    a_thousand_brackets,
    number_of_ten_thousand_digits,
    key_of_many_lines,
    missing_section,
    misspelt_section,
    unknown_key,
    missing_key,
    text_for_a_list,
    text_for_a_number,
    three_for_two,
    yes_for_a_number,
    infinite_value,
    not_a_number,
    overflowing_number,
    below_the_range,
    above_the_range,
    window_upside_down,
    list_of_the_test_set,
    date_for_a_number,
    all_faults_at_once,
)


# Where the archive is


def archive_without_a_name(folder: Path) -> None:
    """No name of an archive, which would mean the repository itself."""
    edited(folder, "archive: data/own/raw/a.zip", 'archive: ""')


def overlong_archive(folder: Path) -> None:
    """A path longer than any system takes."""
    edited(folder, "archive: data/own/raw/a.zip", f"archive: {'long' * 2000}.zip")


def archive_with_a_zero_byte(folder: Path) -> None:
    """A path with a zero byte."""
    edited(folder, "archive: data/own/raw/a.zip", r'archive: "data/own\0.zip"')


UNZIP = cases(
    "params",
    "stages.unzip",
    archive_without_a_name,
    overlong_archive,
    archive_with_a_zero_byte,
)


# Networks


def unknown_backbone(folder: Path) -> None:
    """A backbone that timm does not have."""
    edited(folder, "backbone: test_convnext", "backbone: convnextt_tiny")


def weights_elsewhere(folder: Path) -> None:
    """Weights outside their folder."""
    edited(folder, "weights: none", "weights: ../../../canary/untouched.txt")


def checkpoint_elsewhere(folder: Path) -> None:
    """A checkpoint outside its folder."""
    edited(folder, "checkpoint: none", "checkpoint: ../../canary/untouched.txt")


def weights_among_the_options(folder: Path) -> None:
    """Options that make timm load a file of its own."""
    edited(folder, "options: {}", "options: {checkpoint_path: ../evil.pth}")


def unknown_option(folder: Path) -> None:
    """An option that the backbone does not have."""
    edited(folder, "options: {}", "options: {evil: 1}")


def giant_image_size(folder: Path) -> None:
    """Images of 100,000 × 100,000 pixels."""
    edited(folder, "image_size: [64, 32]", "image_size: [100000, 100000]")


def no_gpu(folder: Path) -> None:
    """A device that does not exist."""
    edited(folder, "device: cpu", "device: tpu")


EXTRACT = cases(
    "params",
    "stages.extract",
    unknown_backbone,
    weights_elsewhere,
    checkpoint_elsewhere,
    weights_among_the_options,
    unknown_option,
    giant_image_size,
    no_gpu,
)
CASES = (*SPLIT, *UNZIP, *EXTRACT)
