"""InterDiv and IntraDiv against all pairs, one by one."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mkbench.concepts.bank_diversity import bank_diversity


def test_pairs_one_by_one() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = F.normalize(torch.randn(40, 6, generator=generator), dim=1)
    owners = torch.randint(7, (40,), generator=generator) * 3  # classes in between have none
    classes = sorted(set(owners.tolist()))
    of_class = {index: rows[owners == index].double().numpy() for index in classes}
    intra = [
        np.mean([float(one @ other) for one, other in combinations(of_class[index], 2)])
        for index in classes
        if len(of_class[index]) > 1
    ]
    inter = [float((of_class[one] @ of_class[other].T).mean()) for one, other in combinations(classes, 2)]
    found = bank_diversity(rows, owners)
    assert found.inter == pytest.approx(np.mean(inter), abs=1e-6)
    assert found.intra == pytest.approx(np.mean(intra), abs=1e-6)


def test_bounds() -> None:
    same = torch.tensor([[1.0, 0.0]]).expand(6, 2)
    assert bank_diversity(same, torch.tensor([0, 0, 1, 1, 2, 2])) == (1.0, 1.0)
    axes = torch.eye(4)
    assert bank_diversity(axes, torch.tensor([0, 0, 1, 1])) == (0.0, 0.0)


def test_order_and_repeated_classes_play_no_part() -> None:
    rows = F.normalize(torch.randn(9, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    owners = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    assert bank_diversity(rows[order], owners[order]) == pytest.approx(bank_diversity(rows, owners), abs=1e-9)


def test_nothing_to_compare_is_nan() -> None:
    one = bank_diversity(torch.eye(3)[:2], torch.tensor([4, 4]))
    assert math.isnan(one.inter)
    assert one.intra == 0
    single = bank_diversity(torch.eye(3), torch.tensor([0, 1, 2]))
    assert math.isnan(single.intra)
    assert single.inter == 0


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"owners \(texts,\), found \(3, 3\) and \(2,\)"):
        bank_diversity(torch.eye(3), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="finite"):
        bank_diversity(torch.full((2, 2), math.nan), torch.tensor([0, 1]))
