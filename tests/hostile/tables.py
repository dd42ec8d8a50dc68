"""Tables, packed images and arrays between the stages that must be refused."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np

from crosscam.files import read_npz, write_npz
from tests.hostile.case import cases

INDEX = "data/packed/index.csv"
IMAGES = "data/packed/images.bin"
QUERY = "data/split/query.csv"
FEATURES = "data/features.npz"


def lines_of(folder: Path, name: str) -> list[str]:
    """Return the lines of a table."""
    return (folder / name).read_text().splitlines()


def written(folder: Path, name: str, lines: list[str]) -> None:
    """Write the lines of a table."""
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


def with_field(folder: Path, name: str, column: str, value: str) -> None:
    """Put a value into the third row of a table."""
    head, *rows = lines_of(folder, name)
    fields = rows[2].split(",")
    fields[head.split(",").index(column)] = value
    written(folder, name, [head, *rows[:2], ",".join(fields), *rows[3:]])


# The index, which the stage split reads


def no_index(folder: Path) -> None:
    """No index."""
    (folder / INDEX).unlink()


def index_without_a_byte(folder: Path) -> None:
    """A file without a byte."""
    (folder / INDEX).write_bytes(b"")


def index_without_rows(folder: Path) -> None:
    """A header and no row."""
    written(folder, INDEX, lines_of(folder, INDEX)[:1])


def index_without_a_column(folder: Path) -> None:
    """A table without its last column."""
    lines = [line.rpartition(",")[0] for line in lines_of(folder, INDEX)]
    written(folder, INDEX, lines)


def index_with_another_column(folder: Path) -> None:
    """A table with a column more."""
    head, *rows = lines_of(folder, INDEX)
    written(folder, INDEX, [f"{head},age", *(f"{row},40" for row in rows)])


def index_by_semicolons(folder: Path) -> None:
    """A table that a spreadsheet has saved with semicolons."""
    lines = [line.replace(",", ";") for line in lines_of(folder, INDEX)]
    written(folder, INDEX, lines)


def row_too_long(folder: Path) -> None:
    """A row with a field too many."""
    lines = lines_of(folder, INDEX)
    written(folder, INDEX, [*lines[:4], f"{lines[4]},1", *lines[5:]])


def every_row_too_long(folder: Path) -> None:
    """A field too many in every row: pandas would take the first for row names."""
    head, *rows = lines_of(folder, INDEX)
    written(folder, INDEX, [head, *(f"{row},1" for row in rows)])


def row_too_short(folder: Path) -> None:
    """A row that was cut."""
    lines = lines_of(folder, INDEX)
    written(folder, INDEX, [*lines[:4], lines[4].rpartition(",")[0], *lines[5:]])


def quote_never_closed(folder: Path) -> None:
    """A quotation mark that swallows the rest of the table."""
    lines = lines_of(folder, INDEX)
    written(folder, INDEX, [*lines[:4], f'"{lines[4]}', *lines[5:]])


def table_of_bytes(folder: Path) -> None:
    """A table that is not in UTF-8."""
    (folder / INDEX).write_bytes((folder / INDEX).read_bytes() + b"\xff\xfe\n")


def table_with_zero_bytes(folder: Path) -> None:
    """A table whose end a full disk has filled with zero bytes."""
    (folder / INDEX).write_bytes((folder / INDEX).read_bytes()[:-400] + bytes(400))


def text_for_a_pid(folder: Path) -> None:
    """A word for a number."""
    with_field(folder, INDEX, "pid", "unknown")


def fraction_for_a_pid(folder: Path) -> None:
    """A fraction for an identity."""
    with_field(folder, INDEX, "pid", "2.5")


def nothing_for_a_pid(folder: Path) -> None:
    """No identity at all."""
    with_field(folder, INDEX, "pid", "")


def pid_beyond_all_integers(folder: Path) -> None:
    """A number of thirty digits."""
    with_field(folder, INDEX, "pid", "9" * 30)


def infinite_pid(folder: Path) -> None:
    """An infinite identity."""
    with_field(folder, INDEX, "pid", "inf")


def pid_below_junk(folder: Path) -> None:
    """An identity of -5."""
    with_field(folder, INDEX, "pid", "-5")


def negative_camera(folder: Path) -> None:
    """A camera of -1."""
    with_field(folder, INDEX, "camid", "-1")


def negative_offset(folder: Path) -> None:
    """An image that would begin before the file does."""
    with_field(folder, INDEX, "offset", "-100")


def image_of_no_bytes(folder: Path) -> None:
    """An image of 0 bytes."""
    with_field(folder, INDEX, "size", "0")


def unknown_subset(folder: Path) -> None:
    """A subset that does not exist: its images would vanish without a word."""
    with_field(folder, INDEX, "subset", "testing")


def several_bad_values(folder: Path) -> None:
    """Three bad values, all told at once."""
    with_field(folder, INDEX, "pid", "unknown")
    with_field(folder, INDEX, "camid", "-1")
    with_field(folder, INDEX, "size", "0")


SPLIT = cases(
    "tables",
    "stages.split",
    no_index,
    index_without_a_byte,
    index_without_rows,
    index_without_a_column,
    index_with_another_column,
    index_by_semicolons,
    row_too_long,
    every_row_too_long,
    row_too_short,
    quote_never_closed,
    table_of_bytes,
    table_with_zero_bytes,
    text_for_a_pid,
    fraction_for_a_pid,
    nothing_for_a_pid,
    pid_beyond_all_integers,
    infinite_pid,
    pid_below_junk,
    negative_camera,
    negative_offset,
    image_of_no_bytes,
    unknown_subset,
    several_bad_values,
)


# Tables of the subsets and packed images


def queries_without_identities(folder: Path) -> None:
    """Queries whose identities were left out."""
    lines = [line.rpartition(",")[0] for line in lines_of(folder, QUERY)]
    written(folder, QUERY, lines)


def no_query(folder: Path) -> None:
    """A table of queries without a row."""
    written(folder, QUERY, lines_of(folder, QUERY)[:1])


def image_beyond_the_file(folder: Path) -> None:
    """An image that would end behind the end of images.bin."""
    with_field(folder, QUERY, "offset", "999999999")


def image_of_other_bytes(folder: Path) -> None:
    """A row that points into the middle of an image."""
    with_field(folder, QUERY, "offset", "1")


def no_packed_images(folder: Path) -> None:
    """No images.bin."""
    (folder / IMAGES).unlink()


def packed_images_without_a_byte(folder: Path) -> None:
    """An images.bin without a byte."""
    (folder / IMAGES).write_bytes(b"")


def packed_images_of_zeros(folder: Path) -> None:
    """An images.bin whose bytes a full disk has turned into zeros."""
    (folder / IMAGES).write_bytes(bytes((folder / IMAGES).stat().st_size))


EXTRACT = cases(
    "tables",
    "stages.extract",
    queries_without_identities,
    no_query,
    image_beyond_the_file,
    image_of_other_bytes,
    no_packed_images,
    packed_images_without_a_byte,
    packed_images_of_zeros,
)


# Arrays, which the stage evaluate reads


def with_arrays(folder: Path, **changes: np.ndarray) -> None:
    """Change some arrays of features.npz."""
    write_npz(folder / FEATURES, read_npz(folder / FEATURES) | changes)


def with_member(folder: Path, data: bytes, method: int = zipfile.ZIP_STORED) -> None:
    """Put other bytes in the place of the queries' features."""
    with zipfile.ZipFile(folder / FEATURES, "w", method) as archive:
        archive.writestr("query.npy", data)


def npy(header: str) -> bytes:
    """Return the beginning of an array of NumPy."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def identities_in_training(folder: Path) -> None:
    """A training table with the identities that training must not see."""
    head, *rows = lines_of(folder, "data/split/train.csv")
    lines = [f"{head},pid", *(f"{row},1" for row in rows)]
    written(folder, "data/split/train.csv", lines)


def no_features(folder: Path) -> None:
    """No features.npz."""
    (folder / FEATURES).unlink()


def features_of_text(folder: Path) -> None:
    """A text in the place of features.npz."""
    (folder / FEATURES).write_text("features")


def features_without_a_byte(folder: Path) -> None:
    """A features.npz without a byte."""
    (folder / FEATURES).write_bytes(b"")


def features_cut_short(folder: Path) -> None:
    """The first half of features.npz."""
    data = (folder / FEATURES).read_bytes()
    (folder / FEATURES).write_bytes(data[: len(data) // 2])


def single_array(folder: Path) -> None:
    """One array, not several by name."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    (folder / FEATURES).write_bytes(buffer.getvalue())


class Evil:
    """Makes whoever unpickles it write a file beside the workspace."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("../canary/evil"),))


def pickle_for_features(folder: Path) -> None:
    """A pickle with code in it in the place of features.npz."""
    (folder / FEATURES).write_bytes(pickle.dumps(Evil()))


def pickle_among_features(folder: Path) -> None:
    """A features.npz with an array of objects, pickled, with code in it."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([Evil()], dtype=object), allow_pickle=True)
    with_member(folder, buffer.getvalue())


def array_of_petabytes(folder: Path) -> None:
    """An array whose header claims a petabyte."""
    shape = (10**9, 10**6 // 4)
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with_member(folder, npy(repr(header)))


def array_compressed(folder: Path) -> None:
    """An array of zeros that unpacks to a thousand times its size."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (4, 10**6)}
    with_member(folder, npy(repr(header)) + bytes(16 * 10**6), zipfile.ZIP_DEFLATED)


def array_with_an_odd_header(folder: Path) -> None:
    """An array whose header is not closed."""
    with_member(folder, npy("{'descr': '<f4', 'shape': (("))


def missing_array(folder: Path) -> None:
    """A features.npz without the gallery's features."""
    arrays = read_npz(folder / FEATURES)
    del arrays["gallery"]
    write_npz(folder / FEATURES, arrays)


def features_of_other_images(folder: Path) -> None:
    """A row of features too few."""
    with_arrays(folder, query=read_npz(folder / FEATURES)["query"][1:])


def features_of_nan(folder: Path) -> None:
    """Features that are not finite, as a training that diverged leaves them."""
    with_arrays(folder, query=read_npz(folder / FEATURES)["query"] * np.nan)


def features_of_words(folder: Path) -> None:
    """Words for features."""
    with_arrays(folder, query=np.array([["a"], ["b"], ["c"], ["d"]]))


def truth_of_another_training_set(folder: Path) -> None:
    """A row of truth.csv too few."""
    lines = lines_of(folder, "data/split/truth.csv")
    written(folder, "data/split/truth.csv", lines[:-1])


def labels_of_another_training_set(folder: Path) -> None:
    """Pseudo labels of fewer images than there are."""
    write_npz(folder / "data/pseudo/intra.npz", {"labels": np.zeros((1, 5), int)})


EVALUATE = cases(
    "tables",
    "stages.evaluate",
    identities_in_training,
    no_features,
    features_of_text,
    features_without_a_byte,
    features_cut_short,
    single_array,
    pickle_for_features,
    pickle_among_features,
    array_of_petabytes,
    array_compressed,
    array_with_an_odd_header,
    missing_array,
    features_of_other_images,
    features_of_nan,
    features_of_words,
    truth_of_another_training_set,
    labels_of_another_training_set,
)
CASES = (*SPLIT, *EXTRACT, *EVALUATE)
