from __future__ import annotations

import re

import pytest

from crosscam.report.history import published
from crosscam.report.origin import files_section, params_section
from crosscam.report.page import page
from crosscam.report.ranking import (
    embedding_section,
    headline,
    metrics_section,
    ranked_section,
)
from tests.small_run import counts, default_params, material, ranked, records
from tests.test_report_markup import Text

PAGE = page(material())


def read(markup):
    """Return what a reader sees, with plain spaces."""
    return Text(markup).text.replace("\N{NO-BREAK SPACE}", " ")


def test_every_part_is_there():
    headings = re.findall(r"<h2 id=\"\w+\">([^<]*)</h2>", PAGE)
    assert headings == [
        "Metrics",
        "Ranks and cameras",
        "Best, median and worst queries",
        "Before and after training",
        "Data",
        "Training",
        "Parameters",
        "Environment",
        "Files",
    ]
    assert PAGE.count("<svg ") == 7
    assert PAGE.count("<img ") == 4
    anchors = set(re.findall(r'href="#(\w+)"', PAGE.split("<main>")[0]))
    assert anchors == set(re.findall(r'<h2 id="(\w+)"', PAGE))


def test_headline_and_metrics_with_intervals():
    metrics = {**records()["metrics"], "mAP": 0.536228, "mAP_low": 0.5, "rank1": 0.25}
    changed = material(metrics=metrics)
    assert "mAP53.6 %[50.0, " in read(headline(changed))
    assert "rank-125.0 %" in read(headline(changed))
    assert "Evaluatedmodels/inter.safetensors" in read(headline(changed))
    text = read(metrics_section(changed).body)
    assert "mAP53.6 %[25.0, 75.0]mean over the queries" in text
    assert "Over 9 queries; 0 without a match" in text
    assert "re-ranked" not in text


def test_re_ranked_metrics_have_the_intervals_of_their_stage():
    names = ("mAP_reranked", "mAP_low_reranked", "mAP_high_reranked")
    again = dict(zip(names, (0.625, 0.5, 0.75), strict=True))
    again |= {name.replace("mAP", "rank1"): value for name, value in again.items()}
    metrics = records()["metrics"] | again
    text = read(metrics_section(material(metrics=metrics)).body)
    assert "mAP, re-ranked62.5 %[50.0, 75.0]by k-reciprocal neighbours" in text
    assert "rank-1, re-ranked62.5 %[50.0, 75.0]likewise" in text


@pytest.mark.parametrize(
    ("checkpoint", "said", "num_facts"),
    [
        ("none", "Evaluatedthe untrained network", 5),
        ("mine.safetensors", "Evaluatedmodels/mine.safetensors", 4),
    ],
)
def test_a_network_that_the_run_did_not_make_is_only_named(checkpoint, said, num_facts):
    params = default_params()
    params["extract"]["checkpoint"] = checkpoint
    head = headline(material(params=params))
    assert said in read(head)
    assert head.count("<dt>") == num_facts


def test_it_asks_for_nothing_and_runs_nothing():
    outside = set(re.findall(r"https?://[^\"' ]+", PAGE))
    assert outside == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<(script|link|iframe|object)\b", PAGE)
    assert "@import" not in PAGE
    assert all(src.startswith("data:") for src in re.findall(r' src="([^"]*)"', PAGE))


def test_ids_are_one_of_a_kind():
    ids = re.findall(r' id="([^"]+)"', PAGE)
    assert len(ids) == len(set(ids))


def test_elements_are_closed_in_their_order():
    stack = []
    for close, name, end in re.findall(r"<(/?)([a-z]\w*)[^>]*?(/?)>", PAGE, re.I):
        if close:
            assert stack.pop() == name
        elif not end and name not in {"meta", "img"}:
            stack.append(name)
    assert stack == []


def test_same_run_same_page():
    assert page(material()) == PAGE


def test_whatever_a_run_says_is_shown_and_not_run():
    bad = "<script>alert('x')</script>"
    params = default_params()
    params["model"]["backbone"] = params["archive"] = bad
    stages = {bad: {"outs": [{"path": bad, "size": 1, "md5": bad}]}}
    unzip = records()["unzip"] | {"file": bad, "layout": bad, "md5": bad, "known": bad}
    split = records()["split"] | {"train_lists": [bad]}
    split["train_images_per_camera"] = {bad: 1}
    made = page(
        material(
            params=params,
            stages=stages,
            unzip=unzip,
            split=split,
            recipe=bad,
            environment={"commit": bad, bad: bad},
        )
    )
    assert "<script" not in made
    assert made.count("&lt;script&gt;") >= 15


def test_parameters_that_differ_are_marked_with_the_default():
    params = default_params()
    params["inter"]["lr"] = 0.5
    params["model"]["options"] = {"depth": 3}
    made = params_section(material(params=params)).body
    rows = re.findall(r'<tr class="changed">(.*?)</tr>', made)
    assert [Text(row).text for row in rows] == [
        "options.depth3 default —",
        "options.ls_init_value— default 0.1",
        "lr0.5 default 0.002",
    ]
    assert "3 of 88 differ" in read(made)
    usual = params_section(material()).body
    assert 'class="changed"' not in usual
    assert "All 87 are those of recipes/default.yaml." in read(usual)


def test_published_counts_that_agree_or_are_not_known():
    unzip = records()["unzip"]
    assert "No counts of it are published." in read(published(unzip))
    known = {**unzip, "known": "Small-v1.zip", "agrees": True}
    text = read(published({**known, "published": {"train": counts(9)}}))
    assert "that of the original Small-v1.zip" in text
    assert "All counts in it are those published." in text


def test_deviations_from_the_published_counts_are_listed():
    said = {"train": counts(1_009), "query": counts(9), "gallery": counts(8)}
    unzip = {**records()["unzip"], "published": said, "agrees": False}
    text = read(published(unzip))
    assert "Its counts are not those published" in text
    assert "train: images91,009-1,000" in text
    assert "gallery: images98+1" in text
    assert "query: images" not in text


def test_files_stand_with_their_md5():
    text = read(files_section(material()).body)
    assert "plots/cmc.jsonevaluate1.2 kB" + "f" * 32 in text


def test_groups_without_a_query_are_left_out():
    text = ranked_section(material(ranked={"best": ranked()})).body
    assert "<h3>Best</h3>" in text
    assert "<h3>Worst</h3>" not in text


def test_a_picture_that_is_none_is_refused():
    with pytest.raises(ValueError, match="must be a PNG"):
        embedding_section(material(embedding=b""))
