"""Write params.yaml from recipes: ``make recipe NAME=iids DATASET=market1501``.

Several names are applied in their order, the dataset last; without one, the recipes are
listed. Parameters that were edited by hand are not replaced unless ``--force`` is given
(``make recipe NAME=… FORCE=1``).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from crosscam.files import write_bytes
from crosscam.params import ParamsError
from crosscam.recipes import applied_recipes, apply_recipes, description

PARAMS = Path("params.yaml")
BASE = "default"


def main(arguments: list[str]) -> None:
    """Run the command; every fault ends it with one message and status 1."""
    parser = argparse.ArgumentParser(prog="python -m recipes", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args(arguments)
    found = texts()
    if not options.names:
        sys.stdout.write(listing(found))
        return
    try:
        text = build(found, options.names)
        if not options.force and edited(found):
            raise SystemExit(
                f"{PARAMS}: has edits that no recipe gives back: commit or copy them, "
                "then repeat with FORCE=1"
            )
    except ParamsError as error:
        raise SystemExit(str(error)) from None
    write_bytes(PARAMS, text.encode())


def texts() -> dict[str, str]:
    """Return the text of every recipe, by name."""
    paths = Path("recipes").glob("*.yaml")
    return {path.stem: path.read_text("utf-8") for path in sorted(paths)}


def listing(found: dict[str, str]) -> str:
    """Return one line per recipe, its name and what it is, datasets last."""
    about = {name: description(found[name]) for name in sorted(found)}
    names = sorted(about, key=lambda name: about[name].startswith("Dataset:"))
    width = max(map(len, names), default=0)
    return "".join(f"{name:{width}}  {about[name]}\n" for name in names)


def build(found: dict[str, str], names: list[str]) -> str:
    """Return the parameter file of some recipes, checked against every stage."""
    chosen = [name for name in names if name != BASE]
    return apply_recipes(found[BASE], found, chosen, schemas())


def schemas() -> list[type]:
    """Return the parameter dataclass of every stage."""
    names = [path.stem for path in sorted(Path("stages").glob("[!_]*.py"))]
    return [importlib.import_module(f"stages.{name}").Params for name in names]


def edited(found: dict[str, str]) -> bool:
    """Return whether params.yaml holds what no recipe would write again."""
    if not PARAMS.exists():
        return False
    current = PARAMS.read_text("utf-8")
    names = [name for name in applied_recipes(current) if name in found]
    try:
        return current != build(found, names)
    except ParamsError:  # a recipe that has changed since and no longer fits
        return True


if __name__ == "__main__":
    main(sys.argv[1:])
