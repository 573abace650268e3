"""Contrastive training of a small CLIP on images with true captions."""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, TypeAlias

import lightning as L
import open_clip
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from mkbench.backbones.local import VOCABULARY_FILE
from mkbench.datamodules.critters_captions import CAPTION_TEMPLATES, DESCRIPTOR_TEMPLATES, CaptionedImage
from mkbench.datamodules.critters_vocabulary import write_vocabulary
from mkbench.datamodules.critters_world import load_world

#: Of the images of a batch, the share shown with one part circled.
_MARKED_SHARE = 0.25
#: Makes the mean over descriptors weigh about as much as the softmax over classes.
_DESCRIPTOR_WEIGHT = 10.0


#: A value of open_clip's ``model_cfg``; with an annotation of any value a parser would build objects there.
ModelOption: TypeAlias = int | float | bool | str | list[int] | None


def caption_loss(image_text: Tensor, true: Tensor) -> Tensor:
    """Symmetric contrastive loss over distinct captions, of which several may be true of an image.

    Args:
        image_text: (B, T) scaled similarities.
        true: (B, T) bool, whether a caption is true of an image.

    Returns:
        Scalar loss: mean negative log-probability of an image's true captions and of a caption's true images.

    >>> caption_loss(torch.zeros(1, 2), torch.tensor([[True, False]]))  # ln 2 for the image, 0 for the caption
    tensor(0.3466)
    """
    target = true.to(image_text.dtype)

    def towards(dim: int) -> Tensor:
        counts = target.sum(dim)
        log_probability = (image_text.log_softmax(dim) * target).sum(dim) / counts.clamp(min=1)
        stated = counts > 0
        # Of an empty mean there is no gradient to learn from, and NaN would spoil all weights.
        return -log_probability[stated].mean() if bool(stated.any()) else image_text.sum() * 0

    return (towards(1) + towards(0)) / 2


class ContrastiveTraining(L.LightningModule):
    """Contrastive training of an open_clip model on class names and descriptors.

    Each step sets the images of a batch against all class captions (softmax, as CLIP) and against some descriptors
    (a sigmoid for each pair, as SigLIP, Zhai et al. 2023, arXiv 2303.15343: several descriptors are true of an image,
    and each is a question of its own).

    Args:
        model: the ``model_cfg`` of open_clip; the size of the vocabulary is filled in.
        learning_rate: peak of the cosine schedule, after 5 % linear warm-up.
        weight_decay: AdamW's weight decay.
        descriptors_per_step: descriptors drawn for each step.
    """

    def __init__(
        self,
        model: dict[str, ModelOption | dict[str, ModelOption]],
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        descriptors_per_step: int = 96,
    ) -> None:
        super().__init__()
        folder = tempfile.mkdtemp(prefix="mkbench-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.vocabulary = Path(folder) / VOCABULARY_FILE
        size = write_vocabulary(self.vocabulary)
        text: Any = model["text_cfg"]
        self.model_config: dict[str, Any] = {**model, "text_cfg": {**text, "vocab_size": size}}
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.descriptors_per_step = descriptors_per_step
        self.clip = open_clip.CLIP(**self.model_config)
        self.descriptor_scale = torch.nn.Parameter(torch.tensor(10.0).log())
        self.descriptor_bias = torch.nn.Parameter(torch.tensor(-2.0))  # a descriptor is true of one image in eight
        context = int(text["context_length"])
        tokenizer = open_clip.SimpleTokenizer(bpe_path=str(self.vocabulary), context_length=context)
        world = load_world()
        self._class_tokens = _tokenize(tokenizer, world.class_names, CAPTION_TEMPLATES)
        texts = [descriptor.text for descriptor in world.descriptors]
        self._descriptor_tokens = _tokenize(tokenizer, texts, DESCRIPTOR_TEMPLATES)
        # What no image shows is never a caption, so the model must not learn it from a loss either.
        self._captions = torch.tensor([i for i, d in enumerate(world.descriptors) if d.part != "none"])
        self.accuracy = MulticlassAccuracy(len(world.classes), average="micro")

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor:
        """Return the sum of the class-caption and the descriptor-caption loss."""
        captioned = CaptionedImage(*batch)
        marked = torch.rand(len(captioned.image), device=self.device) < _MARKED_SHARE
        images = torch.where(marked[:, None, None, None], captioned.marked, captioned.image)
        image = F.normalize(self.clip.encode_image(_normalize(_augment(images.float() / 255))), dim=-1)
        chosen = self._captions[torch.randperm(len(self._captions))[: self.descriptors_per_step]]
        classes = len(self._class_tokens)
        tokens = torch.cat([_draw(self._class_tokens), _draw(self._descriptor_tokens[chosen])]).to(self.device)
        text = F.normalize(self.clip.encode_text(tokens), dim=-1)
        similarity = (image @ text.T).float()
        of_classes, of_descriptors = similarity[:, :classes], similarity[:, classes:]
        shown = torch.where(marked[:, None], captioned.marked_ground_truth, captioned.ground_truth)[
            :, chosen.to(self.device)
        ]
        # A circled part with the rest in grey need not tell the class: only plain images are asked for it.
        asked = ~marked & (captioned.class_index >= 0)
        class_loss = caption_loss(
            self.clip.logit_scale.exp().clamp(max=100) * of_classes[asked],
            F.one_hot(captioned.class_index[asked], classes).bool(),
        )
        descriptor_loss = F.binary_cross_entropy_with_logits(
            self.descriptor_scale.exp() * of_descriptors + self.descriptor_bias, shown.float()
        )
        loss = class_loss + _DESCRIPTOR_WEIGHT * descriptor_loss
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_index: int) -> None:
        """Scorer zero-shot top-1 on plain images."""
        captioned = CaptionedImage(*batch)
        image = self.clip.encode_image(_normalize(captioned.image.float() / 255), normalize=True)
        text = self.clip.encode_text(self._class_tokens[:, 0].to(self.device), normalize=True)
        self.accuracy.update((image @ text.T).float(), captioned.class_index)
        self.log("val_top1", self.accuracy, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Return AdamW with a warmed-up cosine schedule, stepped every batch."""
        gains = [p for p in self.parameters() if p.ndim < 2]
        weights = [p for p in self.parameters() if p.ndim >= 2]
        groups = [{"params": gains, "weight_decay": 0.0}, {"params": weights, "weight_decay": self.weight_decay}]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, int(self.trainer.estimated_stepping_batches), pct_start=0.05
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _tokenize(tokenizer: Any, names: Any, templates: tuple[str, ...]) -> Tensor:
    """Return (names, templates, context) tokens."""
    rows = tokenizer([template.format(name) for name in names for template in templates])
    tokens: Tensor = rows.view(len(names), len(templates), -1)
    return tokens


def _draw(tokens: Tensor) -> Tensor:
    """Return (names, context): one random template for each name."""
    return tokens[torch.arange(len(tokens)), torch.randint(tokens.shape[1], (len(tokens),))]


def _normalize(images: Tensor) -> Tensor:
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD, device=images.device).view(3, 1, 1)
    return (images - mean) / std


def _augment(images: Tensor) -> Tensor:
    """Shift, scale, brighten and change the contrast of every image of a batch at random."""
    count, device = len(images), images.device
    scale = 1 + 0.1 * (2 * torch.rand(count, 1, 1, device=device) - 1)
    affine = torch.cat([scale * torch.eye(2, device=device), 0.15 * torch.rand(count, 2, 1, device=device) - 0.075], 2)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    gain = 1 + 0.2 * (2 * torch.rand(count, 1, 1, 1, device=device) - 1)
    return (moved * gain + 0.1 * (2 * torch.rand(count, 1, 1, 1, device=device) - 1)).clamp(0, 1)
