"""Pack the images of the dataset, a zip or a folder, into one file and index them.

Reads   ${archive}
Writes  data/packed/{images.bin,index.csv}, metrics/unzip.json
Params  archive
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from crosscam.data.faults import DataError
from crosscam.data.layout import recognise
from crosscam.data.packing import packed_size, scan, write_images
from crosscam.data.published import summary
from crosscam.data.source import open_source
from crosscam.files import csv_text, put_on_disk, replacing, write_json
from crosscam.params import ParamsError, PathName, read_params
from crosscam.program import as_program
from crosscam.room import check_disk

log = logging.getLogger("unzip")

TWICE = "counted twice because DVC copies them into its cache unless it links them"


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    archive: PathName


def main() -> None:
    """Run the stage."""
    path = Path(read_params(Path("params.yaml"), Params).archive)
    with open_source(path) as archive:
        listing = recognise(archive.names, archive.read)
        needed = 2 * packed_size(archive, listing.images)
        what = f"{len(listing.images):,} images, {TWICE},"
        check_disk(Path("data/packed"), needed, what)
        images = tqdm(listing.images, desc="unzip", unit=" images", disable=None)
        index, unreadable = scan(archive, images)
        if faults := (*archive.faults.values(), *listing.faults, *unreadable):
            raise DataError(*(f"{path}: {fault}" for fault in dict.fromkeys(faults)))
        folder = Path("data/packed")
        # Both whole before either takes its place: they belong together.
        with replacing(folder / "index.csv") as table:
            table.write(csv_text(index).encode())
            put_on_disk(table)
            with replacing(folder / "images.bin") as file:
                write_images(archive, index, file)
        report = {"file": path.name, **summary(listing, index, archive.digests())}
    write_json(Path("metrics/unzip.json"), report)
    log.info("%d images, layout %s", len(index), listing.layout)
    log.info("published counts agree: %(agrees)s, known md5: %(known)s", report)
    log.info("ignored members: %s", dict(listing.ignored) or "none")


if __name__ == "__main__":
    with as_program("unzip", ParamsError, DataError, OSError):
        main()
