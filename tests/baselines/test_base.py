from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from toy_features import make_inputs, make_set

from mkbench.baselines import HEADS, HeadInputs
from mkbench.baselines.base import Standardise
from mkbench.systems.baseline_training import measure_top1

#: Options that make heads fit for toys.
SMALL = {"mm-cbm": {"width": 16}, "mm-protosim": {"width": 16}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_concepts", torch.zeros(3, 8, dtype=torch.bool)),
        ("feature_std", torch.zeros(4)),
        ("embedding_mean", torch.zeros(5)),
        ("embedding_covariance", torch.zeros(6)),
    ],
)
def test_inputs_check_their_shapes(field: str, value: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=f"{field} must have shape"):
        replace(make_inputs(), **{field: value})


def test_blank_inputs_have_the_shape_of_others() -> None:
    inputs = make_inputs()
    assert HeadInputs.blank(inputs.shape).shape == inputs.shape
    assert inputs.shape == {"concepts": 9, "embed_dim": 6, "classes": 3, "feature_dim": 5, "grid": [3, 4]}


def test_standardised_values_have_mean_0_and_deviation_1() -> None:
    values = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 20.0, 0.0]) + 4
    scaled = Standardise(values.mean(0), values.std(0, correction=0))(values)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(scaled.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_every_head_learns(name: str) -> None:
    train, test = make_set(24), make_set(24, seed=1)
    torch.manual_seed(0)
    head = partial(HEADS[name], **SMALL.get(name, {}))(make_inputs(train))
    batch = train.__getitems__(range(len(train)))
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = head.loss(*batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    # By chance a third is right, with a cross-entropy of ln 3 = 1.10; descriptors true in one case of three cost 0.64.
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    assert measure_top1(head, test, device=torch.device("cpu"), batch_size=7) > 0.8
    assert head.training


@pytest.mark.parametrize("name", HEADS)
def test_every_head_says_how_it_was_built(name: str) -> None:
    inputs = make_inputs()
    head = HEADS[name](inputs, **SMALL.get(name, {}))
    assert head.options().items() >= SMALL.get(name, {}).items()
    again = HEADS[name](HeadInputs.blank(head.inputs_shape), **head.options())
    again.load_state_dict(head.state_dict())
    features, embedding = torch.randn(2, 12, 5), torch.randn(2, 6)
    assert torch.equal(head.eval()(features, embedding), again.eval()(features, embedding))
