import csv
import io
from pathlib import Path

import pytest
from compared_documents import COMPARED, compared
from group_rows import row, write_rows
from published_runs import reproduction
from rich.console import Console

from mkbench.runs.finished_runs import Run
from mkbench.studies.mutual_knowledge import present as module
from mkbench.studies.mutual_knowledge.study import compare, pair_up
from mkbench.studies.mutual_knowledge.write import comparison_markdown, write_comparison

FILES = ["ranks.csv", "table.csv", "table.md", "table.tex"]


def _runs(documents, folder=Path("nowhere")):
    return [
        Run(folder / doc["model"]["label"], doc["model"]["label"], doc, environment) for doc, environment in documents
    ]


def _print(group, width=120):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(group)
    return console.file.getvalue()


def test_markdown_has_table_ranks_and_notes():
    text = comparison_markdown(compare([compared("a", 0.5), compared("b", 0.7, data="other")]))
    assert "| b | PCA | 1 | \u2013 | 1 | 1 | \u2013 |" in text
    assert "| a | PCA | 1 | \u2013 | 1 | 2 | \u2013 |" in text
    assert text.endswith('- These runs differ in data.name: "toy" (a); "other" (b).\n')


def test_files_are_written_and_the_same_each_time(bench, tmp_path):
    for name in ("one", "two"):
        write_comparison(bench, tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    figures = [f"{name}.{kind}" for name in ("accuracy", "dynamics") for kind in ("pdf", "png")]
    assert names == sorted([*FILES, "intervals.csv", "intervals.md", "pairs.csv", "pairs.md", *figures])
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    ranks = list(csv.DictReader(io.StringIO((tmp_path / "one" / "ranks.csv").read_text())))
    assert [row["model"] for row in ranks] == ["high", "low", "other"] * 2


def test_console_shows_neighbors_below_the_table(bench, tmp_path):
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


def test_runs_without_group_files_are_compared_without_pairs(tmp_path):
    text = " ".join(_print(write_comparison(_runs(COMPARED[:2]), tmp_path)).split())
    assert "No pairs with a: nowhere/a has no group files. No pairs with b: nowhere/b has no group files." in text
    assert not list(tmp_path.glob("pairs.*"))


def test_files_of_an_earlier_comparison_go(bench, tmp_path):
    write_comparison(bench, tmp_path)
    (tmp_path / "families.png").touch()
    (tmp_path / "mine.txt").touch()
    write_comparison(_runs([compared("a", 0.5, top1=None)]), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted([*FILES, "mine.txt"])


def test_notes_stand_below_the_console_table(tmp_path):
    group = write_comparison(_runs([compared("a", 0.5), compared("[b]x", 0.7, data="other")]), tmp_path)
    assert 'differ in data.name: "toy" (a); "other" ([b]x)' in _print(group)


def test_runs_of_one_model_are_told_apart(tmp_path):
    document, _ = compared("a", 0.5)
    other, _ = compared("a", 0.5, estimator="shannon")
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
    documents = [
        reproduction(model, **changes) for model in ("ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336", "ViT-B/16-dfn")
    ]
    write_comparison(_runs([(document, {}) for document in documents]), tmp_path)
    assert [published and published.slope for published in seen] == [line]
    assert (tmp_path / "families.pdf").is_file()


def test_figures_are_left_out_where_there_is_nothing_to_show(tmp_path):
    write_comparison(_runs([compared("a", 0.5, top1=None), compared("b", 0.5, top1=None)]), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
