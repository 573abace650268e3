"""Earlier runs as the table of later ones."""

from pathlib import Path

import pytest
from published_runs import reproduction, shift

from mkbench.errors import UsageError
from mkbench.runs.finished_runs import Run
from mkbench.studies.reproduction.earlier_runs import table_of_runs
from mkbench.studies.reproduction.study import verify


def run_of(results):
    return Run(Path("runs") / results["model"]["name"], results["model"]["label"], results, {})


def runs(*models):
    return [run_of(reproduction(model)) for model in models]


def test_runs_match_themselves():
    table = table_of_runs(runs("ViT-B/16", "RN-50"), Path("earlier"))
    verification = verify(table, runs("ViT-B/16", "RN-50"))
    assert verification.counts == {"match": 10, "mismatch": 0, "not comparable": 0, "not run": 0}
    assert verification.verified(complete=True)
    assert table.columns["mutual_information_auc_pca"].label == "AUC nats PCA"


@pytest.mark.parametrize(("by", "verdict"), [(0.004, "match"), (0.006, "mismatch")])
def test_numbers_differ_from_half_of_the_last_decimal_on(by, verdict):
    table = table_of_runs(runs("ViT-B/16"), Path("earlier"))
    later = shift(reproduction("ViT-B/16"), "mutual_information_auc", "pca", by)
    cells = {cell.column: cell.verdict for cell in verify(table, [run_of(later)]).cells}
    assert cells.pop("mutual_information_auc_pca") == verdict
    assert set(cells.values()) == {"match"}


def test_other_settings_do_not_compare():
    table = table_of_runs(runs("ViT-B/16"), Path("earlier"))
    later = reproduction("ViT-B/16", settings__refine="none", settings__explainers__pca__pool=62)
    cells = {cell.column: cell.reasons for cell in verify(table, [run_of(later)]).cells}
    assert cells["top1"] == ("refine none, published with crf",)
    assert len(cells["mutual_information_pca"]) == 2
    other = reproduction("ViT-B/16", data__bank__sha256="1")
    assert {cell.verdict for cell in verify(table, [run_of(other)]).cells} == {"not comparable"}


def test_settings_in_which_earlier_runs_differ_play_no_part():
    earlier = [*runs("ViT-B/16"), run_of(reproduction("RN-50", settings__refine="none"))]
    table = table_of_runs(earlier, Path("earlier"))
    assert "settings.refine" not in table.requires
    assert verify(table, earlier).verified(complete=True)


def test_ambiguous_runs_are_refused():
    with pytest.raises(UsageError, match=r"different models over the same images in earlier, found 2 of ViT-B/16"):
        table_of_runs(runs("ViT-B/16", "ViT-B/16"), Path("earlier"))
    with pytest.raises(UsageError, match="found 2 data sets"):
        table_of_runs([*runs("RN-50"), run_of(reproduction("ViT-B/16", data__images=9))], Path("earlier"))
