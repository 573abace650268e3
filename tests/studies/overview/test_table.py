from __future__ import annotations

from pathlib import Path

from result_documents import results

from mkbench.runs.finished_runs import Run
from mkbench.studies.overview.table import present_overview, provenance_table, rules_table, runs_table
from mkbench.tables import to_markdown

FALLBACKS = {"pca": {"no_foreground": 4}, "text": {"truncated": 2}, "mine": {"my_rule": 1}}
RUN = Run(Path("a"), "ViT", results(top1=0.5, pca={"auc": 1.0}) | {"fallbacks": FALLBACKS}, {})


def test_runs() -> None:
    text = to_markdown(runs_table([RUN]))
    assert "| ViT | mutual knowledge | toy | 4 | 40 | 0 | PCA | paper | trained | 149.6 | 32 | f |" in text


def test_rules_with_their_shares_and_meanings() -> None:
    text = to_markdown(rules_table([RUN]))
    assert "| ViT | PCA | no_foreground | 4 | images | 10.0 % | no foreground, hence no parts |" in text
    assert "| ViT | text | truncated | 2 | texts | – |" in text  # texts are no share of the images
    assert "| ViT | mine | my_rule | 1 | – | – | – |" in text  # of a user's own explainer


def test_no_rules() -> None:
    assert rules_table([Run(Path("a"), "ViT", results(), {})]).notes == ["None applied."]


def test_overview_and_provenance() -> None:
    shown = present_overview([RUN])
    assert [table.title for table in (*shown.tables, *shown.details)] == [
        "Runs",
        "Rules for special cases that applied",
    ]
    assert "| model.label | ViT-B/16 |" in to_markdown(provenance_table(RUN))
