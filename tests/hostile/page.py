"""The page that shows what is said about each bad input."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.accepted import ACCEPTED
from tests.hostile.case import Case, said_of
from tests.hostile.corpus import CORPUS
from tests.hostile.workspace import make_template, outcome, spoiled

PAGE = Path(__file__).parents[1] / "golden/hostile.md"
INTRODUCTION = """\
# What is said about bad input

`python -m tests.hostile` writes this page, `tests/test_hostile.py` compares it. Each of
these inputs is built by `tests/hostile/`, handed to the program in a workspace in which
every stage has run, and refused: with the text below, with a status that is not 0, with
every earlier file as it was, and with nothing new anywhere.
"""


def page(texts: dict[Case, str]) -> str:
    """Return the page for the text of each case."""
    parts = [INTRODUCTION, _table(texts)]
    for family, cases in itertools.groupby(texts, key=lambda case: case.family):
        parts.append(f"## {family.capitalize()}\n")
        parts += [_section(case, texts[case]) for case in cases]
    parts += ["## Odd, but taken\n", *_accepted()]
    return "\n".join(parts)


def _table(texts: dict[Case, str]) -> str:
    families = [case.family for case in texts]
    rows = [f"| {name} | {families.count(name)} |" for name in dict.fromkeys(families)]
    total = f"| all | {len(texts)} |\n"
    return "\n".join(["| family | cases |", "|---|--:|", *rows, total])


def _section(case: Case, text: str) -> str:
    command = f"python -m {' '.join(case.command)}"
    return f"**{case.name}**: {case.about} `{command}`\n\n```\n{text}\n```\n"


def _accepted() -> Iterator[str]:
    for build, _ in ACCEPTED:
        name, about = said_of(build)
        yield f"- **{name}**: {about}"
    yield ""


def main() -> None:
    """Write the page anew."""
    texts = {}
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        template.mkdir()
        make_template(template)
        for number, case in enumerate(CORPUS):
            workspace = spoiled(template, Path(folder) / str(number), case.build)
            text = outcome(workspace, case.command)
            assert text is not None, f"{case.name}: was taken"
            texts[case] = text
    PAGE.write_text(page(texts))
