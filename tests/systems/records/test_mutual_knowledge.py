from dataclasses import replace

import torch

from mkbench.concepts import Foreground, GroupExplanation
from mkbench.concepts.descriptors import VisionConcepts
from mkbench.datamodules import ClassGroup
from mkbench.runs.group_files import ROW_SCHEMA, read_group, write_group
from mkbench.scorers.explained_group import ExplainedGroup, GroupResult
from mkbench.systems.records.mutual_knowledge import empty_record, group_record
from mkbench.systems.records.summary import summarise

NAMES = ["bat", "owl", "cat", "ant", "elk", "yak"]


def make_result():
    """Two images of class 1; the first has two parts that share descriptor 4, the second has no foreground."""
    group = ClassGroup(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 1, 0, ("owl/a", "owl/b"), ("owl/c: truncated",))
    explanation = GroupExplanation(
        explainer="pca",
        part_labels=torch.tensor([[[0, 1], [-1, -1]], [[-1, -1], [-1, -1]]]),
        part_pixels=torch.zeros(2, 2, 8, 8, dtype=torch.bool),
        present=torch.tensor([[True, True], [False, False]]),
        part_embeddings=torch.zeros(2, 2, 3),
        descriptor_ids=torch.tensor([[[4, 7], [4, -1]], [[-1, -1], [-1, -1]]]),
        vision=VisionConcepts(
            torch.tensor([[7, 4, -1, -1], [-1, -1, -1, -1]]),
            torch.tensor([[0.5, 0.25, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]),
            torch.tensor([2, 0]),
        ),
        fallbacks={"no_foreground": 1},
    )
    explained = ExplainedGroup(
        explanation=explanation,
        hits=torch.tensor([[True, False, False, False], [False] * 4]),
        curves=torch.tensor([[3.0, 1.0, 0.0, 0.0, 0.0], [0.0] * 5], dtype=torch.float64),
        chance=torch.tensor([[0.5, 0.125, 0.0, 0.0, 0.0], [0.0] * 5], dtype=torch.float64),
        entropy=torch.tensor([0.75, 0.0], dtype=torch.float64),
    )
    nothing = torch.zeros(2, 2, 2)
    foreground = Foreground(nothing, nothing > 0, torch.zeros(2, 8, 8, dtype=torch.bool), {"crf_empty": 3})
    ranking = torch.tensor([[1, 0, 2], [2, 0, 1]])
    return GroupResult(group, ranking, ranking[:, 0], foreground, {"pca": explained})


def test_rows_hold_what_was_found_without_padding():
    record = group_record(make_result(), NAMES)
    first, second = record.rows.to_pylist()
    assert first == {
        "sample_id": "owl/a",
        "class_index": 1,
        "class_name": "owl",
        "explainer": "pca",
        "predicted_index": 1,
        "top1": True,
        "top5": True,
        "num_parts": 2,
        "descriptor_ids": [7, 4],
        "importance": [0.5, 0.25],
        "part_descriptor_ids": [4, 7, 4],
        "hits": [True, False],
        "curve": [3.0, 1.0, 0.0],
        "chance_curve": [0.5, 0.125, 0.0],
        "concept_entropy": 0.75,
    }
    assert (second["top1"], second["top5"], second["num_parts"]) == (False, True, 0)
    assert (second["descriptor_ids"], second["curve"], second["chance_curve"]) == ([], [0.0], [0.0])


def test_record_names_group_fallbacks_and_unreadable_images():
    record = group_record(make_result(), NAMES)
    assert record.key == "00001-000"
    assert record.fallbacks == {"foreground": {"crf_empty": 3}, "pca": {"no_foreground": 1}}
    assert record.unreadable == ("owl/c: truncated",)


def test_every_explainer_has_a_row_for_every_image():
    result = make_result()
    result.explained["kmeans"] = result.explained["pca"]
    assert group_record(result, NAMES).rows.num_rows == 4


def test_group_without_a_readable_image():
    group = ClassGroup(torch.zeros(0, 3, 8, 8, dtype=torch.uint8), 2, 1, (), ("a: truncated", "b: truncated"))
    record = empty_record(group)
    assert (record.key, record.rows.num_rows, record.unreadable) == ("00002-001", 0, group.unreadable)
    assert record.rows.schema == ROW_SCHEMA


def test_without_labels_what_depends_on_them_is_null(tmp_path):
    result = make_result()
    labelled = group_record(result, NAMES).rows.to_pylist()
    result.group.class_index = None
    record = group_record(result, NAMES)
    unknown = dict.fromkeys(("class_index", "class_name", "top1", "top5"))
    assert record.rows.to_pylist() == [row | unknown for row in labelled]
    read = read_group(write_group(tmp_path, record))
    assert (read.key, read.rows) == ("unlabelled-000000", record.rows)


def test_one_class_has_no_chance_level():
    result = make_result()
    alone = result.explained["pca"]
    result.explained["pca"] = replace(alone, chance=torch.full_like(alone.chance, torch.nan))
    result.group.class_index, result.ranking[:] = 0, 0
    record = group_record(result, ["owl"])
    assert record.rows["chance_curve"].to_pylist() == record.rows["top5"].to_pylist() == [None, None]
    summary = summarise([record])
    assert set(summary["curves"]) == {"mutual_information"}
    names = {metric["name"] for metric in summary["metrics"]}
    assert "mutual_information_auc" in names
    assert not {"mutual_information_auc_chance", "mutual_information_auc_excess", "top5"} & names


def test_explainer_without_parts_has_no_entropy():
    result = make_result()
    explanation = result.explained["pca"].explanation
    none = replace(
        explanation,
        present=explanation.present[:, :0],
        part_pixels=explanation.part_pixels[:, :0],
        part_embeddings=explanation.part_embeddings[:, :0],
        descriptor_ids=explanation.descriptor_ids[:, :0],
    )
    result.explained["pca"] = replace(result.explained["pca"], explanation=none)
    rows = group_record(result, NAMES).rows
    assert rows["concept_entropy"].to_pylist() == [None, None]
    assert rows["num_parts"].to_pylist() == [0, 0]
