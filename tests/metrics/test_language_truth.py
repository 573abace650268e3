import numpy as np
import pytest
import torch
from torch import Tensor

from mkbench.metrics.functional import Membership, language_agreement, mutual_agreement

RNG = np.random.default_rng(0)
CLASSES, BANK, IMAGES = 5, 30, 12
MEMBER = torch.from_numpy(RNG.random((CLASSES, BANK)) < 0.3)
VISIBLE = torch.from_numpy(RNG.random((IMAGES, BANK)) < 0.4)
SETS = [RNG.permutation(BANK)[:k].tolist() for k in RNG.integers(0, 9, IMAGES)]
IDS = torch.tensor([[*row, *[-1] * (9 - len(row))] for row in SETS])
COUNTS = torch.tensor([len(row) for row in SETS])
OWN = torch.from_numpy(RNG.integers(0, CLASSES, IMAGES))
LISTED = [np.flatnonzero(row) for row in MEMBER]
# The same by the ids of each class, padded on both sides of the bank.
BY_IDS = Membership(torch.tensor([[BANK, *row, *[-1] * (BANK - len(row))] for row in LISTED]), BANK)


def share(values):
    return np.mean(values) if len(values) else np.nan


@pytest.mark.parametrize("member", [MEMBER, BY_IDS])
def test_language_is_counted_with_sets(member: Tensor | Membership) -> None:
    true = VISIBLE[0]
    known, listed = set(np.flatnonzero(true)), [set(np.flatnonzero(row)) for row in MEMBER]
    for label in range(CLASSES):
        precision = [len(row & known) / len(row) for row in listed]
        recall = [len(row & known) / len(known) for row in listed]
        others = [k for k in range(CLASSES) if k != label]
        expected = [
            precision[label],
            recall[label],
            np.mean([precision[k] for k in others]),
            np.mean([recall[k] for k in others]),
        ]
        found = [value.item() for value in language_agreement(member, label, true)]
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("member", [MEMBER, BY_IDS])
def test_mutual_concepts_are_counted_with_sets(member: Tensor | Membership) -> None:
    found = mutual_agreement(IDS, COUNTS, member, OWN, VISIBLE)
    for image, concepts in enumerate(SETS):
        each = [share([bool(VISIBLE[image, i]) for i in concepts if MEMBER[k, i]]) for k in range(CLASSES)]
        others = [each[k] for k in range(CLASSES) if k != OWN[image] and not np.isnan(each[k])]
        assert found.precision[image].item() == pytest.approx(each[OWN[image]], nan_ok=True)
        assert found.permuted[image].item() == pytest.approx(share(others), nan_ok=True)


def test_one_class_and_no_images() -> None:
    alone = language_agreement(MEMBER[:1], 0, VISIBLE[0])
    assert not alone.precision.isnan()
    assert alone.precision_permuted.isnan()
    assert alone.recall_permuted.isnan()
    assert mutual_agreement(IDS, COUNTS, MEMBER[:1], OWN * 0, VISIBLE).permuted.isnan().all()
    assert mutual_agreement(IDS[:0], COUNTS[:0], MEMBER, OWN[:0], VISIBLE[:0]).precision.shape == (0,)


def test_no_rows_of_the_bank_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Membership, "__getitem__")
    language_agreement(BY_IDS, 0, VISIBLE[0])
    mutual_agreement(IDS, COUNTS, BY_IDS, OWN, VISIBLE)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"member \(classes, bank\) and true \(bank,\)"):
        language_agreement(MEMBER, 0, VISIBLE[0, 1:])
    with pytest.raises(ValueError, match=r"one of 0\.\.4, found 5"):
        language_agreement(MEMBER, 5, VISIBLE[0])
    with pytest.raises(ValueError, match="of 12 images"):
        mutual_agreement(IDS[1:], COUNTS, MEMBER, OWN, VISIBLE)
    with pytest.raises(ValueError, match=r"expected member \(classes, 30\)"):
        mutual_agreement(IDS, COUNTS, MEMBER[:, 1:], OWN, VISIBLE)
