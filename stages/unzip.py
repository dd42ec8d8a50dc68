"""Pack the images of the dataset archive into one file, and index them.

Reads   ${archive}
Writes  data/packed/{images.bin,index.csv}, metrics/unzip.json
Params  archive
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from crosscam.data.archive import Archive, digests
from crosscam.data.faults import DataError
from crosscam.data.layout import Listing, recognise
from crosscam.data.market1501 import OFFICIAL_MD5S
from crosscam.data.packing import scan, write_images
from crosscam.data.pids import count
from crosscam.files import replacing, write_csv, write_json
from crosscam.params import ParamsError, read_params

log = logging.getLogger("unzip")


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    archive: str


def main() -> None:
    """Run the stage."""
    path = Path(read_params(Path("params.yaml"), Params).archive)
    with Archive(path) as archive:
        listing = recognise(archive.names)
        images = tqdm(listing.images, desc="unzip", unit=" images", disable=None)
        index, unreadable = scan(archive, images)
        if faults := (*archive.faults.values(), *listing.faults, *unreadable):
            raise DataError(*(f"{path}: {fault}" for fault in dict.fromkeys(faults)))
        with replacing(Path("data/packed/images.bin")) as file:
            write_images(archive, index, file)
            write_csv(Path("data/packed/index.csv"), index)
    report = summary(path, listing, index)
    write_json(Path("metrics/unzip.json"), report)
    log.info("%d images, layout %s", len(index), listing.layout)
    log.info("published counts agree: %(agrees)s, known md5: %(known)s", report)
    log.info("ignored members: %s", dict(listing.ignored) or "none")


def summary(path: Path, listing: Listing, index: pd.DataFrame) -> dict[str, Any]:
    """Return what was found in the archive beside what is published."""
    found = digests(path)
    counts = {str(subset): count(rows) for subset, rows in index.groupby("subset")}
    published = listing.published
    return {
        "file": path.name,
        **found._asdict(),
        "known": OFFICIAL_MD5S.get(found.md5),
        "layout": listing.layout,
        "counts": {name: of._asdict() for name, of in counts.items()},
        "published": published and {n: of._asdict() for n, of in published.items()},
        "agrees": published and counts == published,
        "ignored": listing.ignored,
    }


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    try:
        main()
    except (ParamsError, DataError) as error:
        raise SystemExit(str(error)) from None
