from __future__ import annotations

import csv
import io
from pathlib import Path
from unittest.mock import patch

from result_documents import make_results
from rich.console import Console

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate
from mkbench.studies.faithfulness import present, write
from mkbench.studies.faithfulness.removal_agreement import RemovalAgreement
from mkbench.studies.faithfulness.removal_agreement_table import removal_agreement_table
from mkbench.tables import to_console, to_csv, to_latex, to_markdown

ROWS = [
    RemovalAgreement("ViT", "deletion", 5, 40, Estimate(0.4, (-0.2, 0.8)), 7, 3, 1),
    RemovalAgreement("ViT", "accuracy_drop", 5, 40, Estimate(0.6, (0.2, 1.0)), 2, 2, 0),
]


def test_formats_agree() -> None:
    table = removal_agreement_table(ROWS)
    markdown = to_markdown(table)
    assert "| ViT | deletion | 5 | 40 | 0.40 [-0.20, 0.80] | 7 | 3 | 1 |" in markdown
    assert "| ViT | AccDrop | 5 | 40 | 0.60 [0.20, 1.00] | 2 | 2 | 0 |" in markdown
    assert "of the 9 orders" in markdown.lower()
    assert r"AccDrop & 5 & 40 & 0.60 {\scriptsize[0.20, 1.00]} & 2 & 2 & 0" in to_latex(table)
    first, second = csv.DictReader(io.StringIO(to_csv(table)))
    assert (first["metric"], second["metric"]) == ("deletion", "accuracy_drop")
    assert (first["tau"], first["tau_low"], first["tau_high"]) == ("0.4", "-0.2", "0.8")
    assert (first["decided"], first["undecided_by_blur"], first["opposite_by_blur"]) == ("7", "3", "1")


def test_narrow_terminals_keep_headings_and_numbers_whole() -> None:
    console = Console(width=80, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(to_console(removal_agreement_table(ROWS), width=80))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    for whole in ("explainers", "Kendall's", "[-0.20, 0.80]", "undecided", "opposite"):
        assert whole in text


def test_table_stands_below_that_of_faithfulness_and_goes_with_its_runs(tmp_path: Path) -> None:
    run = Run(tmp_path, "ViT", make_results(("deletion", "pca", 4.5)), {})
    with patch.object(write, "removal_agreements", return_value=ROWS):
        shown = write.write_faithfulness([run], tmp_path / "out")
    assert shown is not None
    assert len(shown.renderables) == 2
    files = {path.name for path in (tmp_path / "out").glob("removal_agreement.*")}
    assert files == {f"removal_agreement.{kind}" for kind in ("csv", "md", "tex")}
    write.write_faithfulness([run], tmp_path / "out")
    assert not list((tmp_path / "out").glob("removal_agreement.*"))


def test_page_shows_it_where_a_run_has_both(tmp_path: Path) -> None:
    run = Run(tmp_path, "ViT", make_results(("deletion", "pca", 4.5)), {})
    assert present.present_removal_agreement([run]) is None
    with patch.object(present, "removal_agreements", return_value=ROWS):
        page = present.present_removal_agreement([run])
    assert page is not None
    assert page.tables[0].rows == ROWS
