import numpy as np
import pyarrow as pa
import pytest

from mkbench.metrics.controls import compare_controls


def make_rows(**columns: list[object]) -> pa.Table:
    images = len(next(iter(columns.values())))
    return pa.table({"sample_id": [str(i) for i in range(images)], "explainer": ["pca"] * images, **columns})


def entry(entries: list[dict[str, object]], metric: str, control: str) -> dict[str, object]:
    (found,) = [e for e in entries if e["metric"] == metric and e["control"] == control and e["explainer"] == "pca"]
    return found


def test_reversed_order_is_compared_image_by_image() -> None:
    rows = make_rows(
        deletion_scores=[[1.0, 0.0], [1.0, 0.5], [0.8]],
        deletion_scores_reversed=[[1.0, 0.8], [1.0, 0.9], [0.8]],
    )
    found = entry(compare_controls(rows), "deletion", "reversed")
    # Means of the curves: 0.5, 0.75, 0.8 against 0.9, 0.95, 0.8.
    assert found["difference"] == pytest.approx((-0.4 - 0.2 + 0.0) / 3)
    assert found["n"] == 3
    assert not found["separates"]  # one image of three has no difference, and a resample may hold it alone
    assert found["interval"][1] == pytest.approx(0.0)


@pytest.mark.parametrize(("column", "metric"), [("deletion_scores", "deletion"), ("insertion_scores", "insertion")])
@pytest.mark.parametrize("gap", [-0.3, 0.3])
def test_separation_needs_the_better_side(column: str, metric: str, gap: float) -> None:
    scores = np.random.default_rng(0).random((40, 2))
    rows = make_rows(**{column: scores.tolist(), f"{column}_reversed": (scores - gap).tolist()})
    found = entry(compare_controls(rows), metric, "reversed")
    assert found["difference"] == pytest.approx(gap)
    assert found["separates"] is (gap > 0 if metric == "insertion" else gap < 0)


def test_random_parts_are_joined_by_image() -> None:
    ours = make_rows(deletion_scores=[[0.1], [0.2], [0.3]])
    theirs = make_rows(deletion_scores=[[0.6], [0.5], [0.4]]).set_column(1, "explainer", pa.array(["random"] * 3))
    theirs = theirs.set_column(0, "sample_id", pa.array(["2", "1", "0"]))
    entries = compare_controls(pa.concat_tables([ours, theirs]))
    found = entry(entries, "deletion", "random")
    assert found["difference"] == pytest.approx(-0.3)
    assert found["interval"] == pytest.approx([-0.3, -0.3])  # 0.1 - 0.4, 0.2 - 0.5, 0.3 - 0.6
    assert found["separates"]
    assert {e["explainer"] for e in entries} == {"pca"}  # random parts are not compared with themselves


@pytest.mark.parametrize(("column", "better"), [("part_iou", True), ("descriptor_precision", True)])
def test_numbers_are_compared_where_both_have_one(column: str, better: bool) -> None:
    ours = make_rows(**{column: [0.5, 0.6, None, 0.9]})
    theirs = make_rows(**{column: [0.1, None, 0.3, 0.2]}).set_column(1, "explainer", pa.array(["random"] * 4))
    found = entry(compare_controls(pa.concat_tables([ours, theirs])), column, "random")
    assert found["difference"] == pytest.approx((0.4 + 0.7) / 2)
    assert (found["n"], found["separates"]) == (2, better)


def test_what_is_the_same_for_every_explainer_and_what_has_no_direction_is_not_compared() -> None:
    columns = {
        "localised": [True, False],
        "descriptor_precision_chance": [0.1, 0.2],
        "descriptor_recall_bound": [1.0, 1.0],
    }
    ours = make_rows(**columns)
    theirs = ours.set_column(1, "explainer", pa.array(["random"] * 2))
    assert compare_controls(pa.concat_tables([ours, theirs])) == []


def test_nothing_to_compare() -> None:
    assert compare_controls(make_rows(top1=[True, False])) == []
    unlabelled = make_rows(deletion_correct=[None, None], deletion_correct_reversed=[None, None])
    assert compare_controls(unlabelled) == []
