"""Controls beside compared numbers, shares of images under rules, and the scale of subsets."""

from pathlib import Path

from published_runs import TABLE, reproduction

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate
from mkbench.studies.reproduction.published import load_published
from mkbench.studies.reproduction.study import verify
from mkbench.studies.reproduction.table import show_verification, to_json, verification_table
from mkbench.tables import to_csv, to_markdown


def verified(**changes):
    results = reproduction("ViT-B/16", **changes)
    results["fallbacks"] = {
        "pca": {"no_foreground": 0, "single_part": 10_000, "contour_box": 7},
        "kmeans": {"no_foreground": 50, "single_part": 12_500, "contour_box": 9},
        "random": {"single_part": 1},
    }
    for control, value in (("random", 1.5), ("whole-image", 2.5)):
        metric = {"name": "mutual_information_auc", "explainer": control, "value": value}
        results["metrics"].append({**metric, "interval": [value - 0.1, value + 0.1]})
    return verify(load_published(TABLE), [Run(Path("vit"), "ViT-B/16", results, {})])


def test_controls_stand_beside_every_auc():
    verification = verified()
    controls = {cell.column: dict(cell.controls) for cell in verification.cells}
    both = {"random": Estimate(1.5, (1.4, 1.6)), "whole-image": Estimate(2.5, (2.4, 2.6))}
    assert controls == {"top1": {}, "mi_pca": {}, "mi_kmeans": {}, "auc_pca": both, "auc_kmeans": both}
    text = to_markdown(verification_table(verification))
    assert "control: whole-image" in text
    assert "2.50 [2.40, 2.60]" in text
    assert "whole_image,whole_image_low,whole_image_high" in to_csv(verification_table(verification))
    assert to_json(verification)["cells"][-1]["controls"] == {"random": 1.5, "whole-image": 2.5}


def test_runs_without_controls_have_no_column():
    results = reproduction("ViT-B/16")
    verification = verify(load_published(TABLE), [Run(Path("vit"), "ViT-B/16", results, {})])
    assert "control" not in to_markdown(verification_table(verification))
    assert verification.remarks == tuple(
        f"No control {control} beside the AUC of ViT-B/16; the configuration of the protocol has it."
        for control in ("random", "whole-image")
    )


def test_table_without_an_auc_asks_for_no_control():
    results = reproduction("ViT-B/16", "mutual-knowledge-table5")
    verification = verify(load_published("mutual-knowledge-table5"), [Run(Path("vit"), "ViT-B/16", results, {})])
    assert verification.remarks == ()


def test_shares_of_images_under_rules():
    first, what, *rest = verified().remarks
    assert first == (
        "Shares of images, ViT-B/16: single_part 20.0% (PCA), 25.0% (K-means); "
        "no_foreground 0.0% (PCA), 0.1% (K-means)."
    )
    assert what.startswith("single_part: one part alone")
    assert rest == []
    shown = [str(part) for part in show_verification(verified()).renderables[1:]]
    assert first in shown


def test_padding_of_a_subset():
    assert "pads all curves to its longest" in verified(data__images=400).remarks[-1]
