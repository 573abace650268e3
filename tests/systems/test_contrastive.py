from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from mkbench.datamodules.critters_captions import CrittersCaptions
from mkbench.datamodules.critters_world import load_world
from mkbench.systems.contrastive import ContrastiveTraining, caption_loss

MODEL: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16},
    "text_cfg": {"context_length": 16, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def batch() -> list[torch.Tensor]:
    """An image of each class."""
    data = CrittersCaptions(
        image_size=32, train_per_class=1, train_wild=0, val_per_class=1, batch_size=32, render_workers=0
    )
    data.setup("fit")
    return next(iter(data.train_dataloader()))  # type: ignore[return-value]


def make_system() -> ContrastiveTraining:
    torch.manual_seed(0)
    system = ContrastiveTraining(MODEL)
    system.log = lambda *args, **options: None  # type: ignore[method-assign,assignment]
    return system


def reference_loss(similarity: np.ndarray, true: np.ndarray) -> float:
    """Image by image and caption by caption."""
    loss = 0.0
    for scores, labels in ((similarity, true), (similarity.T, true.T)):
        terms = [-log_softmax(row)[mask].mean() for row, mask in zip(scores, labels, strict=True) if mask.any()]
        loss += np.mean(terms) / 2
    return float(loss)


def test_loss_by_hand() -> None:
    # One image, two captions with equal similarity, the first is true: ln 2 from the image to its caption, and 0
    # from the caption to its only image; the mean is ln 2 / 2.
    loss = caption_loss(torch.zeros(1, 2), torch.tensor([[True, False]]))
    assert float(loss) == pytest.approx(np.log(2) / 2)


def test_loss_with_several_true_captions_and_untrue_ones() -> None:
    rng = np.random.default_rng(0)
    similarity, true = rng.normal(size=(5, 7)), rng.random((5, 7)) < 0.4
    true[2], true[:, 3] = False, False  # an image without captions, a caption of no image
    loss = caption_loss(torch.from_numpy(similarity), torch.from_numpy(true))
    assert float(loss) == pytest.approx(reference_loss(similarity, true))


@pytest.mark.parametrize("shape", [(3, 4), (0, 4)])
def test_nothing_true_is_nothing_to_learn(shape: tuple[int, int]) -> None:
    similarity = torch.ones(shape, requires_grad=True)
    loss = caption_loss(similarity, torch.zeros(shape, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0
    assert similarity.grad is not None
    assert not similarity.grad.any()


def test_step_reaches_every_weight(batch: list[torch.Tensor]) -> None:
    system = make_system()
    system.training_step(batch, 0).backward()
    without = [name for name, p in system.clip.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_training_learns_the_batch(batch: list[torch.Tensor]) -> None:
    system = make_system()
    optimizer = torch.optim.AdamW(system.parameters(), lr=3e-3)
    losses = []
    for step in range(100):
        optimizer.zero_grad()
        loss = system.training_step(batch, step)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # Equal similarities cost ln 32 = 3.5 for the classes and 10 x 0.45 or so for the descriptors: the chance level of
    # both together is about 7.8 (for a descriptor true of one image in six, at best 0.45 nats).
    assert np.mean(losses[-10:]) < 6.5


def test_descriptors_of_no_image_are_never_captions(batch: list[torch.Tensor]) -> None:
    system = make_system()
    parts = [descriptor.part for descriptor in load_world().descriptors]
    assert [parts[i] for i in system._captions.tolist()] == [part for part in parts if part != "none"]
    assert "none" in parts


def test_validation_measures_the_nearest_class(batch: list[torch.Tensor]) -> None:
    system = make_system()
    with torch.no_grad():
        system.validation_step(batch, 0)
        scaled = (batch[0].float() / 255 - torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)) / (
            torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
        )
        image = system.clip.encode_image(scaled).numpy()
        text = system.clip.encode_text(system._class_tokens[:, 0]).numpy()
    cosine = (image @ text.T) / np.linalg.norm(text, axis=1)
    expected = np.mean(cosine.argmax(1) == batch[2].numpy())
    assert float(system.accuracy.compute()) == pytest.approx(expected)


def test_gains_and_biases_do_not_decay(monkeypatch: pytest.MonkeyPatch) -> None:
    system = make_system()
    monkeypatch.setattr(ContrastiveTraining, "trainer", type("T", (), {"estimated_stepping_batches": 40}))
    configured = system.configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for parameter in system.clip.parameters():
        assert decays[id(parameter)] == (0.05 if parameter.ndim >= 2 else 0.0)
    assert schedule["interval"] == "step"
    rates = []
    for _ in range(39):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule["scheduler"].step()
    assert int(np.argmax(rates)) == 1  # warm-up ends with 5 % of 40 steps
    assert max(rates) == pytest.approx(1e-3)
    assert rates[-1] < 1e-5


def test_vocabulary_fits_the_model() -> None:
    system = make_system()
    assert system.clip.token_embedding.num_embeddings == system.model_config["text_cfg"]["vocab_size"]
    assert "vocab_size" not in MODEL["text_cfg"]  # the caller's configuration is left alone
