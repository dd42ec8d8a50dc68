from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile

import dvc_render.html
import dvc_render.vega
import pytest

from experiments import plots_page
from experiments.plots_page import DVC_MARKS, PACKAGES, filled, inline, main
from tests.repository import ROOT

PAGE = (ROOT / ".dvc/plots.html").read_text("utf-8")
SKELETON = "<head>\n<!--\n@licences@\n-->\n@scripts@\n</head>{plot_divs}"


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Make packages of three small scripts, and have them known."""
    known = {}
    for name in PACKAGES:
        path, data = tmp_path / f"{name}-1.0.tgz", f"var {name[0]};".encode()
        with tarfile.open(path, "w:gz") as package:
            member = tarfile.TarInfo(f"package/build/{name}.min.js")
            member.size = len(data)
            package.addfile(member, io.BytesIO(data))
        known[name] = ("1.0", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(plots_page, "PACKAGES", known)
    monkeypatch.setattr(plots_page, "PAGE", tmp_path / "plots.html")
    monkeypatch.chdir(ROOT)
    return tmp_path


def test_the_page_is_made_from_the_packages(packed):
    main([str(packed)])
    made = (packed / "plots.html").read_text()
    places = [made.index(f"<script>/* {name} */\nvar v;") for name in PACKAGES]
    assert places == sorted(places)
    assert "Mike Bostock" in made
    for mark in ("{refresh_tag}", "{plot_divs}"):
        assert made.count(mark) == 1


def test_another_package_is_refused_and_the_page_stays(packed):
    (packed / "vega-1.0.tgz").write_bytes(b"another")
    with pytest.raises(SystemExit, match=r"vega-1\.0\.tgz: SHA-256 must be \w{64}"):
        main([str(packed)])
    assert not (packed / "plots.html").exists()


def test_a_missing_package_is_named(packed):
    (packed / "vega-lite-1.0.tgz").unlink()
    with pytest.raises(SystemExit, match=r"vega-lite-1\.0\.tgz"):
        main([str(packed)])


def test_without_a_folder_it_says_what_to_pack(capsys):
    main([])
    names = [f"{name}@{version}" for name, (version, _) in PACKAGES.items()]
    assert capsys.readouterr().out.split() == names


def test_a_script_cannot_end_its_element_nor_ask_for_a_map():
    script = 'a="</script><!--"\n//# sourceMappingURL=a.js.map\nb'
    assert inline(script) == 'a="<\\/script><\\!--"\nb'


@pytest.mark.parametrize("mark", DVC_MARKS)
def test_a_script_with_a_mark_of_dvcs_is_refused(mark):
    with pytest.raises(ValueError, match="a: DVC would put its plots into it"):
        filled(SKELETON, "", {"a": f"x={mark}"})


def test_scripts_may_hold_our_own_marks():
    assert filled(SKELETON, "mine", {"a": "'@scripts@'"}).count("@scripts@") == 1


# The page as it is in git


def test_the_committed_page_is_that_of_the_committed_parts():
    """All but the scripts, which come from npm, is made from what stands beside it."""
    skeleton = (ROOT / plots_page.SKELETON).read_text("utf-8")
    licences = (ROOT / plots_page.LICENCES).read_text("utf-8")
    expected = filled(skeleton, licences, dict.fromkeys(PACKAGES, ""))
    pattern = r"(<script>/\* [\w-]+ \*/\n).*?(\n</script>)"
    assert re.sub(pattern, r"\1\2", PAGE, flags=re.DOTALL) == expected


def test_the_committed_page_has_dvcs_marks_where_they_are_meant():
    assert PAGE.count("{plot_divs}") == PAGE.count("{refresh_tag}") == 1
    assert "{scripts}" not in PAGE  # they are in the page
    assert "\n<main>\n{plot_divs}\n</main>\n" in PAGE


def test_the_majors_are_those_of_dvcs_own_page():
    own = re.findall(r"npm/([\w-]+)@(\d+)", dvc_render.vega.VegaRenderer.SCRIPTS)
    assert own == [(n, version.split(".")[0]) for n, (version, _) in PACKAGES.items()]
    for name, (version, _) in PACKAGES.items():
        script = PAGE.split(f"<script>/* {name} */\n")[1].split("</script>")[0]
        assert f'"{version}"' in script


def test_dvc_fills_the_page_and_it_asks_for_nothing():
    document = dvc_render.html.HTML(PAGE)
    document.with_scripts(dvc_render.vega.VegaRenderer.SCRIPTS)
    document.with_element("<div>a plot</div>")
    made = document.embed()
    assert made.count("<div>a plot</div>") == 1
    ours = re.sub(r"<script>.*?</script>", "", made, flags=re.DOTALL)
    assert not re.search(r"<[^>]+\b(src|href)=", ours)
    assert "<script " not in made  # one with a src


def test_dvc_takes_the_page_on_every_clone():
    config = (ROOT / ".dvc/config").read_text()
    assert "[plots]\n    html_template = plots.html\n" in config
    for path in (ROOT / ".dvc/plots").glob("*.json"):
        schema = json.loads(path.read_text())["$schema"]
        version = PACKAGES["vega-lite"][0].split(".")[0]
        assert schema.endswith(f"vega-lite/v{version}.json")
