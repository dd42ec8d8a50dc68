"""The page that shows what is said about each bad input."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.accepted import ACCEPTED
from tests.hostile.case import Builder, Case, said_of
from tests.hostile.corpus import CORPUS
from tests.hostile.states import STATES, taken_up
from tests.hostile.workspace import make_template, outcome, spoiled

PAGE = Path(__file__).parents[1] / "golden/hostile.md"
INTRODUCTION = """\
# What is said about bad input

`python -m tests.hostile` writes this page, `tests/test_hostile.py` compares it. Each of
these inputs is built by `tests/hostile/`, handed to the program in a workspace in which
every stage has run, and refused: with the text below, with a status that is not 0, with
every earlier file as it was, and with nothing new anywhere.
"""


STATES_SAID = """\
## States of runs

A training stage that finds one of these beside its run puts it aside, says so, and
trains from the start.
"""


def page(texts: dict[Case, str], states: dict[Builder, str]) -> str:
    """Return the page for the text of each case, and of each state."""
    parts = [INTRODUCTION, _table(texts)]
    for family, cases in itertools.groupby(texts, key=lambda case: case.family):
        parts.append(f"## {family.capitalize()}\n")
        parts += [_section(case, texts[case]) for case in cases]
    parts += [STATES_SAID, *(state_section(*said) for said in states.items())]
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


def state_section(build: Builder, text: str) -> str:
    """Return what the page says of a state."""
    name, about = said_of(build)
    return f"**{name}**: {about}\n\n```\n{text}\n```\n"


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
        states = {
            build: taken_up(Path(folder) / build.__name__, build)[0] for build in STATES
        }
    PAGE.write_text(page(texts, states))
