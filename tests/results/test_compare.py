import csv
import io

import pytest
from result_documents import results
from rich.console import Console

from mkbench.results.compare import compare, comparison_markdown, write_comparison


def _bundle(name, excess, top1=0.5, auc=3.0, speed=None, **settings):
    values = {"auc": auc} if excess is None else {"auc": auc, "excess": excess}
    document = results(name, top1=top1, pca=values, kmeans={"auc": auc}, **settings)
    return document, {} if speed is None else {"images_per_second": speed}


BUNDLES = [_bundle("a", 0.5, 0.3), _bundle("b", 0.9, 0.5, speed=10.0), _bundle("c", None, 0.7), _bundle("d", 0.5, 0.3)]


def test_order_is_by_excess_in_blocks_of_explainers():
    rows = compare(BUNDLES).rows
    assert [row["explainer"] for row in rows] == ["pca"] * 4 + ["kmeans"] * 4
    assert [row["model"] for row in rows[:4]] == ["b", "a", "d", "c"]  # equal ones keep their order, absent is last
    assert [row["model"] for row in rows[4:]] == ["a", "b", "c", "d"]


def test_ranks_share_the_better_place():
    ranks = {row["model"]: row for row in compare(BUNDLES).ranks if row["explainer"] == "pca"}
    assert {model: row["top1"] for model, row in ranks.items()} == {"c": 1, "b": 2, "a": 3, "d": 3}
    assert {model: row["excess"] for model, row in ranks.items()} == {"b": 1, "a": 2, "d": 2, "c": None}
    assert {model: row["auc"] for model, row in ranks.items()} == dict.fromkeys("abcd", 1)
    assert {model: row["images_per_second"] for model, row in ranks.items()} == {
        "b": 1,
        "a": None,
        "c": None,
        "d": None,
    }


def test_differences_are_noted():
    bundles = [_bundle("a", 0.5), _bundle("b", 0.5, estimator="shannon"), _bundle("c", 0.5, data="other")]
    assert compare(bundles).notes == (
        'These runs differ in data.name: "toy" (a, b); "other" (c).',
        'These runs differ in settings.estimator: "paper" (a, c); "shannon" (b).',
    )
    assert compare(BUNDLES).notes == ()


def test_markdown_has_table_ranks_and_notes():
    text = comparison_markdown(compare([_bundle("a", 0.5), _bundle("b", 0.7, data="other")]))
    assert "| b | PCA | 1 | \u2013 | 1 | 1 | \u2013 |" in text
    assert "| a | PCA | 1 | \u2013 | 1 | 2 | \u2013 |" in text
    assert text.endswith('- These runs differ in data.name: "toy" (a); "other" (b).\n')


def test_files_are_written_and_the_same_each_time(tmp_path):
    tables = [write_comparison(BUNDLES, tmp_path / name) for name in ("one", "two")]
    names = ["accuracy.pdf", "accuracy.png", "ranks.csv", "table.csv", "table.md", "table.tex"]
    for folder in ("one", "two"):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    ranks = list(csv.DictReader(io.StringIO((tmp_path / "one" / "ranks.csv").read_text())))
    assert [row["model"] for row in ranks] == ["b", "a", "d", "c", "a", "b", "c", "d"]
    assert tables[0].row_count == 8


def test_notes_stand_below_the_console_table(tmp_path):
    table = write_comparison([_bundle("a", 0.5), _bundle("[b]x", 0.7, data="other")], tmp_path)
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    assert 'differ in data.name: "toy" (a); "other" ([b]x)' in console.file.getvalue()


def test_figure_is_left_out_without_accuracy(tmp_path):
    write_comparison([_bundle("a", 0.5, top1=None)], tmp_path)
    assert not list(tmp_path.glob("accuracy.*"))


def test_nothing_to_compare():
    with pytest.raises(ValueError, match="at least one run, found none"):
        compare([])
