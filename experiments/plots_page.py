"""Make .dvc/plots.html, into which `dvc plots` puts its plots: make plots-page.

DVC's own page loads vega from a server and is blank without a network; this one holds
it. Reads the packages that npm left in a folder (npm itself is not needed); without a
folder, prints what is to be packed.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
from pathlib import Path

from crosscam.files import write_bytes

PAGE = Path(".dvc/plots.html")
SKELETON = Path("experiments/plots_page.html")
LICENCES = Path("experiments/vega_licences.txt")
# Version and SHA-256 of the package, in order of loading; the majors are those that
# DVC's own page names, for which the specifications of its plots are written.
PACKAGES = {
    "vega": (
        "5.33.1",
        "1b8504b6731c5311be3269c4d84ca996a5cc293bc772283293ede20c490e16c3",
    ),
    "vega-lite": (
        "5.23.0",
        "e4cbfdd8f6f1abe381c59cd558fd6a559c12b1496bfdf2e0c3295263a40fe4da",
    ),
    "vega-embed": (
        "6.29.0",
        "ecf1ee709c2bac9e0a4ead6908114b05b62c71493e10a8a4308109bb070f8eb1",
    ),
}
DVC_MARKS = ("{refresh_tag}", "{scripts}", "{plot_divs}")  # DVC replaces each, anywhere


def main(arguments: list[str]) -> None:
    """Run the command; every fault ends it with one message and status 1."""
    if not arguments:
        names = [f"{name}@{version}" for name, (version, _) in PACKAGES.items()]
        sys.stdout.write(" ".join(names) + "\n")
        return
    folder = Path(arguments[0])
    try:
        scripts = {name: packed_script(folder, name) for name in PACKAGES}
        page = filled(SKELETON.read_text("utf-8"), LICENCES.read_text("utf-8"), scripts)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    write_bytes(PAGE, page.encode())


def packed_script(folder: Path, name: str) -> str:
    """Return the minified script in a package of npm, whose bytes must be the known."""
    version, sha256 = PACKAGES[name]
    path = folder / f"{name}-{version}.tgz"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(f"{path}: SHA-256 must be {sha256}, got {found}: is it whole?")
    with tarfile.open(path) as package:
        script = package.extractfile(f"package/build/{name}.min.js")
        if script is None:
            raise ValueError(f"{path}: has no script package/build/{name}.min.js")
        return script.read().decode()


def filled(skeleton: str, licences: str, scripts: dict[str, str]) -> str:
    """Return the page with the scripts in it; a mark of DVC's in one is a fault."""
    elements = []
    for name, script in scripts.items():
        if marks := [mark for mark in DVC_MARKS if mark in script]:
            raise ValueError(f"{name}: DVC would put its plots into it, got {marks}")
        elements.append(f"<script>/* {name} */\n{inline(script)}\n</script>")
    before, middle, after = (
        part
        for piece in skeleton.split("@scripts@")
        for part in piece.split("@licences@")
    )
    return before + licences.strip() + middle + "\n".join(elements) + after


def inline(script: str) -> str:
    """Return a script that neither ends its element early nor asks for a source map."""
    lines = [line for line in script.splitlines() if "//# sourceMappingURL" not in line]
    # Both stand in strings and patterns only, where the backslash changes nothing.
    return "\n".join(lines).replace("</script", r"<\/script").replace("<!--", r"<\!--")


if __name__ == "__main__":
    main(sys.argv[1:])
