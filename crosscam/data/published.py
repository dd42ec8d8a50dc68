"""What was found in a dataset beside what its authors publish of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from crosscam.data import dukemtmc, market1501
from crosscam.data.archive import Digests
from crosscam.data.listing import Listing
from crosscam.data.pids import count

OFFICIAL_MD5S = {**market1501.OFFICIAL_MD5S, **dukemtmc.OFFICIAL_MD5S}


def summary(listing: Listing, index: pd.DataFrame, found: Digests) -> dict[str, Any]:
    """Return what was found in a dataset beside what is published.

    Parameters
    ----------
    listing
        What the members are.
    index
        Table with the columns subset, pid, camid, a row per image.
    found
        Digests of the archive.

    Returns
    -------
    dict
        ``sha256``, ``md5``; ``known``, the name of the file that is known to have this
        md5, or None; ``layout``; ``counts`` per subset; ``published`` counts or None;
        ``compared``, whose counts those are; ``agrees``, whether all of these are what
        was found, None if nothing is published; ``ignored`` members by kind.
    """
    published = listing.published
    counts = {str(subset): count(rows) for subset, rows in index.groupby("subset")}
    compared = {
        name: count(index[index["subset"].isin(name.split("+"))])
        for name in published or ()
    }
    return {
        **found._asdict(),
        "known": OFFICIAL_MD5S.get(found.md5),
        "layout": listing.layout,
        "counts": {name: of._asdict() for name, of in (counts | compared).items()},
        "published": published and {n: of._asdict() for n, of in published.items()},
        "compared": sorted(compared),
        "agrees": published and compared == dict(published),
        "ignored": listing.ignored,
    }
