from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from concept_head_runs import LAYERS, change_results, heads_run, joint_model, knowledge_run
from torch import Tensor

from mkbench.errors import DataError, UsageError
from mkbench.heads.concept_heads import ConceptHeads, find_concept_heads
from mkbench.runs.results import Estimate
from mkbench.studies.concept_heads.choice import ConceptHeadModel
from mkbench.studies.concept_heads.study import ClassConceptHeads, find_class_heads

BANK = ("none", "colour", "tail", "wing")
TEXTS = torch.nn.functional.normalize(torch.randn(4, 3, generator=torch.Generator().manual_seed(5)), dim=-1)
CONCEPTS = {"ant/0": [1], "ant/1": [1, 2], "bee/0": [3], "cat/0": []}


def embed(model: ConceptHeadModel) -> tuple[Sequence[str], Tensor]:
    return BANK, TEXTS


def added(*names: str, seed: int = 0) -> dict[str, Tensor]:
    """What two layers of two heads add to images."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(2, 2, 3, generator=generator) for name in names}


def test_counts_and_means_of_shared_images(tmp_path: Path) -> None:
    # The run of heads has one image more of the first class, that of mutual knowledge one image more of the second.
    heads = added("ant/0", "ant/1", "ant/2", "bee/0", "cat/0")
    knowledge = knowledge_run(tmp_path / "mk", {**CONCEPTS, "bee/1": [1, 2]})
    (found,), notes = find_class_heads(joint_model(knowledge, heads_run(tmp_path / "heads", heads)), embed)
    means = torch.stack([(heads["ant/0"] + heads["ant/1"]) / 2, heads["bee/0"], heads["cat/0"]]) / 2  # to length 1
    weights = torch.tensor([[0.0, 2.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    expected = find_concept_heads(means, TEXTS, weights)
    torch.testing.assert_close(found.concept_heads.scores, expected.scores, equal_nan=True)
    assert torch.equal(found.concept_heads.strongest, expected.strongest)
    assert (found.model, found.explainer, found.classes, found.layers) == ("ViT", "pca", ("ant", "bee", "cat"), LAYERS)
    assert found.known() == [0, 1]
    assert found.indices == (0, 1, 2)
    assert notes == ("ViT, PCA: 1 of 3 classes have no mutual concepts.",)


@pytest.mark.parametrize("data", ["toy", "elsewhere"])
def test_images_that_are_not_shared(tmp_path: Path, data: str) -> None:
    """Other images, and images of equal names of another data set, count all the same; a note says so."""
    start = 5 if data == "toy" else 0
    heads = added("ant/5", "bee/5") if start else added("ant/0", "bee/0")
    run = heads_run(tmp_path / "heads", heads, data=data)
    (found,), notes = find_class_heads(joint_model(knowledge_run(tmp_path / "mk", CONCEPTS), run), embed)
    means = torch.stack([heads[f"ant/{start}"], heads[f"bee/{start}"]]) / 2
    expected = find_concept_heads(means, TEXTS, torch.tensor([[0.0, 2.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]))
    torch.testing.assert_close(found.concept_heads.scores, expected.scores)
    assert found.classes == ("ant", "bee")
    assert notes == (
        "ViT: its runs share no image of 2 of 2 classes; for these, what heads add is that of the images in the run of "
        "heads.",
    )


def test_classes_of_another_list_are_found_by_name(tmp_path: Path) -> None:
    knowledge = knowledge_run(
        tmp_path / "mk", {"bee/0": [3], "ant/0": [1], "dog/0": [2]}, classes=["bee", "dog", "ant"]
    )
    change_results(knowledge, data__class_names_sha256="other")
    run = heads_run(tmp_path / "heads", added("ant/0", "bee/0", "cat/0"))
    (found,), _ = find_class_heads(joint_model(knowledge, run), embed)
    assert found.classes == ("ant", "bee")
    assert found.concept_heads.strongest.flatten(1).tolist() == [[1] * 4, [3] * 4]


def test_labels_are_those_of_the_file_if_there_is_one(tmp_path: Path) -> None:
    knowledge, run = knowledge_run(tmp_path / "mk", CONCEPTS), heads_run(tmp_path / "heads", added("ant/0", "bee/0"))
    assert find_class_heads(joint_model(knowledge, run), embed)[0][0].labels == {}
    entries = '{"layer": 3, "head": 1, "label": "colour"}, {"layer": 2, "head": 0, "label": null}'
    (run / "labels.json").write_text(f'{{"heads": [{entries}]}}')
    assert find_class_heads(joint_model(knowledge, run), embed)[0][0].labels == {(3, 1): "colour"}
    (run / "labels.json").write_text("no labels")
    with pytest.raises(DataError, match=r"Expected labels of heads in .*labels.json"):
        find_class_heads(joint_model(knowledge, run), embed)


def test_nothing_to_carry(tmp_path: Path) -> None:
    run = heads_run(tmp_path / "heads", added("ant/0", "bee/0"))
    nothing = knowledge_run(tmp_path / "nothing", {"ant/0": [], "bee/0": []})
    found, notes = find_class_heads(joint_model(nothing, run), embed)
    assert (found, notes) == ([], ("ViT, PCA: 2 of 2 classes have no mutual concepts.",))
    other = knowledge_run(tmp_path / "other", {"cat/0": [1]})
    found, notes = find_class_heads(joint_model(other, run), embed)
    assert (found, notes) == ([], ("ViT: its runs share no class, so nothing is said of its concept heads.",))
    without = tmp_path / "without"
    without.mkdir()
    (without / "results.json").write_text((nothing / "results.json").read_text())
    assert find_class_heads(joint_model(without, run), embed)[0] == []


def test_faults_are_named(tmp_path: Path) -> None:
    knowledge, run = (
        knowledge_run(tmp_path / "mk", {"ant/0": [7]}),
        heads_run(tmp_path / "heads", added("ant/0", "bee/0")),
    )
    with pytest.raises(DataError, match=r"concepts of a bank of 4 in .*mk, found others; run `mkbench predict` again"):
        find_class_heads(joint_model(knowledge, run), embed)
    (run / "groups" / "00001-000.parquet").unlink()
    with pytest.raises(UsageError, match="lacks 1 of 3 class groups"):
        find_class_heads(joint_model(knowledge, run), embed)


def control(own: list[float], others: list[float], beaten: list[float]) -> dict[str, Estimate]:
    empty = torch.zeros(len(own), 1, 1)
    concept_heads = ConceptHeads(empty, empty.long(), torch.tensor(own), torch.tensor(others), torch.tensor(beaten))
    return ClassConceptHeads("ViT", "pca", ("a",) * len(own), BANK, (2,), {}, concept_heads).control()


def test_control_is_over_classes_that_have_another_to_compare_with() -> None:
    """Equal is not ahead."""
    nan = float("nan")
    found = control([3.0, 1.0, 2.0, nan], [1.0, 2.0, 2.0, nan], [1.0, 0.0, 0.5, nan])
    assert found["carried"].value == pytest.approx(1 / 3)
    assert found["carried"].interval == pytest.approx((0.0615, 0.7923), abs=1e-4)  # Wilson, 1 of 3
    assert found["beaten"].value == 0.5
    assert control([1.0, nan], [nan, nan], [nan, nan]) == {}
