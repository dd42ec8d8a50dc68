"""A bad input: what it is called, what reads it, and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Builder = Callable[[Path], None]


class Case(NamedTuple):
    """An input that must be refused.

    Parameters
    ----------
    family
        What it is a kind of.
    command
        The module that reads it, and its arguments.
    build
        Spoils a workspace in which every stage has run. Its name and the first line of
        its docstring are those of the case.
    """

    family: str
    command: tuple[str, ...]
    build: Builder

    @property
    def name(self) -> str:
        return said_of(self.build)[0]

    @property
    def about(self) -> str:
        return said_of(self.build)[1]


def said_of(build: Builder) -> tuple[str, str]:
    """Return the name of a builder, in words, and what it builds."""
    return build.__name__.replace("_", " "), (build.__doc__ or "").splitlines()[0]


def cases(family: str, command: str, *builders: Builder) -> tuple[Case, ...]:
    """Return a case per builder."""
    return tuple(Case(family, tuple(command.split()), build) for build in builders)
