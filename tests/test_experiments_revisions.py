from __future__ import annotations

from pathlib import Path

import pytest

from experiments.revisions import RevisionError, read_files, resolve, state
from tests.small_run import committed, git


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Make a repository with two commits and three experiments; return their names."""
    for name in ("CONFIG_GLOBAL", "CONFIG_SYSTEM"):
        monkeypatch.setenv(f"GIT_{name}", "/dev/null")
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("first")
    commits = {"first": committed(tmp_path)}
    commits["no-triplet"] = experiment(commits["first"], "no-triplet", "an experiment")
    commits["again, old"] = experiment(commits["first"], "again", "old")
    Path("a").write_text("second")
    git(tmp_path, "commit", "--quiet", "--all", "--message=second")
    commits["second"] = git(tmp_path, "rev-parse", "HEAD")
    return commits


def experiment(base, name, text):
    """Save an experiment as DVC does: a commit that only its own ref names."""
    Path("a").write_text(text)
    git(Path(), "add", "a")
    tree = git(Path(), "write-tree")
    commit = git(Path(), "commit-tree", tree, "-p", base, "-m", name)
    git(Path(), "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", commit)
    git(Path(), "update-ref", "refs/exps/exec/EXEC_HEAD", base)
    git(Path(), "update-ref", "refs/exps/stash", base)
    git(Path(), "reset", "--hard", "--quiet")
    return commit


def test_commits_branches_experiments_and_the_workspace(repository):
    Path("a").write_text("edited")
    names = ["main~1", "main", "no-triplet", repository["first"][:12], "workspace"]
    found = read_files(names, ["a"])
    texts = [files["a"].decode() for files in found]
    assert texts == ["first", "second", "an experiment", "first", "edited"]


def test_resolving(repository):
    commits = resolve(["HEAD", "no-triplet", "workspace"])
    assert commits == [repository["second"], repository["no-triplet"], None]


def test_the_experiment_of_the_current_commit_comes_before_one_of_its_name(repository):
    new = experiment(repository["second"], "again", "new")
    assert resolve(["again"]) == [new]
    git(Path(), "commit", "--quiet", "--allow-empty", "--message=third")
    with pytest.raises(
        RevisionError, match="again: means 2 experiments: name a"
    ) as told:
        resolve(["again"])
    assert new[:10] in str(told.value)
    assert repository["again, old"][:10] in str(told.value)


def test_an_unknown_name_gets_the_nearest_and_all_that_are_known(repository):
    with pytest.raises(RevisionError) as told:
        resolve(["no-triple", "main", "HEAD~7", "--all"])
    lines = str(told.value).splitlines()
    known = "known are workspace, again, no-triplet, main"
    assert lines == [
        "no-triple: there is no such revision, did you mean 'no-triplet'? " + known,
        "HEAD~7: there is no such revision, " + known,
        "--all: there is no such revision, " + known,
    ]


def test_not_all_of_many_names_are_listed(repository):
    for number in range(30):
        git(Path(), "branch", f"branch-{number}")
    with pytest.raises(RevisionError, match=r"branch-\d+, …$"):
        resolve(["?"])


def test_files_that_a_revision_lacks_are_named(repository):
    Path("a").unlink()
    with pytest.raises(RevisionError) as told:
        read_files(["main", "workspace"], ["a", "b/c"])
    assert str(told.value).splitlines() == [
        "main: has no b/c: name a finished run",
        "workspace: has no a, b/c: name a finished run",
    ]


def test_paths_are_those_below_the_current_folder(repository, monkeypatch):
    Path("inner").mkdir()
    Path("inner/a").write_text("within")
    git(Path(), "add", "--all")
    git(Path(), "commit", "--quiet", "--message=third")
    monkeypatch.chdir("inner")
    assert read_files(["HEAD"], ["a"]) == [{"a": b"within"}]


def test_the_state_tells_what_has_changed_since_the_commit(repository):
    Path("new").write_text("not tracked")
    assert state().changed == []
    assert state().commit == repository["second"]
    assert state().date.count("-") == 2
    Path("a").write_text("edited")
    assert state().changed == ["a"]


def test_without_a_commit_there_is_no_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(RevisionError, match="there is no commit here"):
        state()
