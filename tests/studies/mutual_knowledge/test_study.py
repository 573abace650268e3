import csv
import io
from pathlib import Path

import pytest
from group_rows import row, write_rows
from published_runs import reproduction
from result_documents import results
from rich.console import Console

from mkbench.runs.finished_runs import Run
from mkbench.studies.mutual_knowledge import study as module
from mkbench.studies.mutual_knowledge.study import compare, comparison_markdown, pair_up, write_comparison


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


def _runs(bundles, folder=Path("nowhere")):
    return [
        Run(folder / doc["model"]["label"], doc["model"]["label"], doc, environment) for doc, environment in bundles
    ]


def _print(group, width=120):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(group)
    return console.file.getvalue()


@pytest.fixture
def bench(tmp_path):
    """Three runs with curves over the images a and b; the last one has b and c, and no labels."""
    runs = []
    for index, (name, ids) in enumerate({"low": "ab", "high": "ab", "other": "bc"}.items()):
        values = {"auc": 3.0, "excess": 1.0 + index % 2}
        document = results(name, top1=None if name == "other" else 0.5, pca=values, kmeans=values)
        document["curves"] = {"mutual_information": {"pca": [2.0, 0.0], "kmeans": [2.0, 0.0]}}
        rows = [
            row(
                sample,
                [2.0 + index, 0.0],
                [1.0, 0.0],
                explainer=explainer,
                top1=None if name == "other" else index == 1,
            )
            for sample in ids
            for explainer in ("pca", "kmeans")
        ]
        runs.append(Run(write_rows(tmp_path / "runs" / name, rows), name, document, {}))
    return runs


FILES = ["ranks.csv", "table.csv", "table.md", "table.tex"]


def test_files_are_written_and_the_same_each_time(bench, tmp_path):
    for name in ("one", "two"):
        write_comparison(bench, tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    figures = [f"{name}.{kind}" for name in ("accuracy", "dynamics") for kind in ("pdf", "png")]
    assert names == sorted([*FILES, "pairs.csv", "pairs.md", *figures])
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    ranks = list(csv.DictReader(io.StringIO((tmp_path / "one" / "ranks.csv").read_text())))
    assert [row["model"] for row in ranks] == ["high", "low", "other"] * 2


def test_pairs_follow_the_ranks(bench):
    pairs, notes = pair_up(compare([(run.results, run.environment) for run in bench]), bench)
    assert notes == ()
    assert [(pair.explainer, pair.first, pair.second, pair.images) for pair in pairs[:3]] == [
        ("pca", "high", "low", 2),
        ("pca", "high", "other", 1),
        ("pca", "low", "other", 1),
    ]
    # Curves of 3, 2 and 4 at the start and two entries; the same chance curve everywhere.
    assert [pair.differences["auc"].value for pair in pairs[:3]] == [0.5, -0.5, -1.0]
    assert pairs[0].differences["top1"].value == 100.0
    assert pairs[1].differences["top1"] is None


def test_console_shows_neighbours_below_the_table(bench, tmp_path):
    text = _print(write_comparison(bench, tmp_path, width=80), 80)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines.index("high PCA +0.50 +0.50 +100.0") < lines.index("low PCA -1.00 -1.00 \u2013")
    assert max(map(len, text.splitlines())) <= 80
    assert "other 149.6 \u2013 PCA" in text.replace("   ", " ").replace("  ", " ")  # a dash for the accuracy it lacks


def test_runs_that_share_no_image_are_noted(bench, tmp_path):
    bench[2] = Run(write_rows(tmp_path / "apart", [row("z", [1.0], explainer="pca")]), "other", bench[2].results, {})
    pairs, notes = pair_up(compare([(run.results, run.environment) for run in bench]), bench)
    assert notes == ("PCA: 2 of 3 pairs of runs share no image; they are left out.",)
    assert [(pair.first, pair.second) for pair in pairs] == [("high", "low")] * 2
    write_comparison(bench, tmp_path / "out")
    assert notes[0] in (tmp_path / "out" / "pairs.md").read_text()


def test_same_names_of_images_in_two_data_sets_are_not_the_same_images(bench):
    bench[0].results["data"]["name"] = "elsewhere"
    pairs, _ = pair_up(compare([(run.results, run.environment) for run in bench]), bench)
    assert {(pair.first, pair.second) for pair in pairs} == {("high", "other")}


def test_runs_without_group_files_are_compared_without_pairs(tmp_path):
    text = " ".join(_print(write_comparison(_runs(BUNDLES[:2]), tmp_path)).split())
    assert "No pairs with a: nowhere/a has no group files. No pairs with b: nowhere/b has no group files." in text
    assert not list(tmp_path.glob("pairs.*"))


def test_files_of_an_earlier_comparison_go(bench, tmp_path):
    write_comparison(bench, tmp_path)
    (tmp_path / "families.png").touch()
    (tmp_path / "mine.txt").touch()
    write_comparison(_runs([_bundle("a", 0.5, top1=None)]), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted([*FILES, "mine.txt"])


def test_notes_stand_below_the_console_table(tmp_path):
    group = write_comparison(_runs([_bundle("a", 0.5), _bundle("[b]x", 0.7, data="other")]), tmp_path)
    assert 'differ in data.name: "toy" (a); "other" ([b]x)' in _print(group)


def test_runs_of_one_model_are_told_apart(tmp_path):
    document, _ = _bundle("a", 0.5)
    other, _ = _bundle("a", 0.5, estimator="shannon")
    write_comparison([Run(Path("x"), "a (x)", document, {}), Run(Path("y"), "a (y)", other, {})], tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "| a (x) |" in text
    assert '"paper" (a (x)); "shannon" (a (y))' in text


@pytest.mark.parametrize(
    ("changes", "line"),
    [({}, 11.24), ({"data__name": "places365-val"}, None), ({"settings__estimator": "shannon"}, None)],
)
def test_published_line_is_drawn_on_its_own_data_only(monkeypatch, tmp_path, changes, line):
    seen = []
    original = module.family_scatter
    monkeypatch.setattr(
        module, "family_scatter", lambda documents, published: seen.append(published) or original(documents)
    )
    documents = [reproduction(model, **changes) for model in ("RN-50", "RN-101", "RN-50x4")]
    write_comparison(_runs([(document, {}) for document in documents]), tmp_path)
    assert [published and published.slope for published in seen] == [line]
    assert (tmp_path / "families.pdf").is_file()


def test_figures_are_left_out_where_there_is_nothing_to_show(tmp_path):
    write_comparison(_runs([_bundle("a", 0.5, top1=None), _bundle("b", 0.5, top1=None)]), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


def test_nothing_to_compare():
    with pytest.raises(ValueError, match="at least one run, found none"):
        compare([])


def test_unreadable_images_are_counted_in_the_notes():
    document, environment = _bundle("a", 0.5)
    document = {**document, "data": {**document["data"], "unreadable": ["ant/a.png: truncated", "ant/b.png: empty"]}}
    notes = compare([(document, environment), _bundle("b", 0.5)]).notes
    assert "a: 2 unreadable images left out; results.json names them." in notes
    assert not any(note.startswith("b: ") for note in notes)
