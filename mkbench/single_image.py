"""Explanation of a single image without a data set: from Python, and by ``mkbench explain``."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Literal

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from mkbench.backbones import Backbone, load_backbone
from mkbench.backbones.known_models import model_entries
from mkbench.backbones.loading import backbone_name
from mkbench.concepts import PartsExplainer, load_bank
from mkbench.datamodules.base import load_templates
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.class_names import name_list, read_class_names
from mkbench.datamodules.critters_world import load_world
from mkbench.datamodules.image_files import Decoding, image_pixels, read_image
from mkbench.datamodules.resizing import Resize, resize_image
from mkbench.errors import UsageError
from mkbench.plotting.sample import SampleView, sample_figure
from mkbench.plotting.style import save_figure
from mkbench.scorers import Stability
from mkbench.studies.mutual_knowledge.figure.sample import sample_view
from mkbench.systems import MutualKnowledge

#: Published u and pool, and the shares of the bank they are taken down to on a smaller one.
_LANGUAGE, _POOL = (50, 20), (500, 4)
_SAMPLE = "image"


@dataclass(frozen=True)
class Concept:
    """Descriptor found in an image.

    Attributes:
        text: the descriptor.
        importance: 2.5 times the cosine of image and descriptor.
        mutual: whether the text encoder also associates it with the class.
    """

    text: str
    importance: float
    mutual: bool


@dataclass(frozen=True)
class Part:
    """Part of an image.

    Attributes:
        mask: (S, S) bool, its pixels in the model's geometry.
        descriptors: what it shows, best first.
    """

    mask: Tensor
    descriptors: tuple[str, ...]


@dataclass(frozen=True)
class ImageExplanation:
    """Explanation of one image by both encoders of a model.

    Attributes:
        predictions: up to five class names, best first.
        parts: the parts of the image; none if the model saw no foreground.
        concepts: what the image encoder names, most important first.
        language: what the text encoder associates with the predicted class, closest first.
        mutual_information: overlap of the two in nats, by the published estimator.
        auc: mean of it while the most important concepts are removed one by one.
        chance_auc: the same against the language concepts of the other classes, averaged; NaN with one class.
        kept: how many of the concepts are named again after noise of at most one grey level, which nobody sees.
        view: what :meth:`plot` draws.
    """

    predictions: tuple[str, ...]
    parts: tuple[Part, ...]
    concepts: tuple[Concept, ...]
    language: tuple[str, ...]
    mutual_information: float
    auc: float
    chance_auc: float
    kept: int
    view: SampleView

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw the image, its saliency, parts, concepts and what both encoders name.

        Args:
            path: where to save it too: both ``.png`` and ``.pdf``, whatever the suffix given; None saves nothing.
        """
        figure = sample_figure(self.view)
        if path is not None:
            save_figure(figure, Path(path).with_suffix(""))
        return figure

    def _repr_html_(self) -> str:
        """Return the figure and the text for a notebook."""
        with io.BytesIO() as file:
            self.plot().savefig(file, format="png")
            encoded = base64.b64encode(file.getvalue()).decode("ascii")
        return f'<img src="data:image/png;base64,{encoded}" alt="explanation"><pre>{html.escape(str(self))}</pre>'

    def __str__(self) -> str:
        chance = "" if isnan(self.chance_auc) else f" (chance {self.chance_auc:.2f})"
        lines = [
            f"predicted: {self.predictions[0]}",
            f"MI {self.mutual_information:.2f}, AUC {self.auc:.2f}{chance}, in nats",
            f"{self.kept} of {len(self.concepts)} concepts stay under one grey level of noise",
            "concepts (* named by the text encoder too):",
        ]
        return "\n".join(lines + [f"  {'*' if c.mutual else ' '} {c.importance:.2f}  {c.text}" for c in self.concepts])


class ImageExplainer:
    """Explainer of single images by one model, whose texts are encoded once.

    Args:
        backbone: a name that :func:`mkbench.load_backbone` takes, or a backbone.
        class_names: names to predict among, or the path of a file of them; None, for a bundled model: the kinds of
            critters.
        bank: descriptors, or the path of a file of them; None, for a bundled model: the descriptors of critters.
        templates: class prompts: the name of a packaged set, or texts with ``{}``.
        explainer: ``pca`` or ``kmeans`` parts.
        refine: pixels of the foreground: ``none``, ``components`` or ``crf``.
        resize: ``squash`` (bilinear to a square, as published) or ``model`` (the weights' own transform).
        random_weights: build the architecture with random weights.

    Raises:
        UsageError: a model that is not bundled without names or bank.
        MkbenchError: an unknown model, weights that cannot be had, or files that are not what they should be.

    >>> from mkbench.datamodules.critters_world import load_world, render
    >>> explainer = ImageExplainer("critters-vit-s", refine="none")
    >>> explanation = explainer(torch.from_numpy(render(load_world().class_names[0], 0).image).permute(2, 0, 1))
    >>> 0 < len(explanation.concepts) <= 15, explanation.auc <= explanation.mutual_information
    (True, True)
    """

    def __init__(
        self,
        backbone: str | Backbone = "critters-vit-l",
        *,
        class_names: Sequence[str] | str | Path | None = None,
        bank: Sequence[str] | str | Path | None = None,
        templates: str | list[str] = "default",
        explainer: Literal["pca", "kmeans"] = "pca",
        refine: Literal["none", "components", "crf"] = "crf",
        resize: Resize = "squash",
        random_weights: bool = False,
    ) -> None:
        if isinstance(backbone, str):
            backbone_name(backbone)  # an unknown name is told before what it would need
        names, descriptors = _texts(backbone, class_names, bank)
        loaded = load_backbone(backbone, random_weights=random_weights) if isinstance(backbone, str) else backbone
        published = ((most, len(descriptors) // share) for most, share in (_LANGUAGE, _POOL))
        language, pool = (max(1, min(pair)) for pair in published)
        self.class_names, self.descriptors, self.resize = names, descriptors, resize
        self.system = MutualKnowledge(
            loaded,
            explainers=[PartsExplainer(explainer, pool=pool)],
            scorers=[Stability()],
            num_language_concepts=language,
            scope="image",
            refine=refine,
        )
        self.system.prepare_texts(names, descriptors, load_templates(templates))

    def __call__(self, image: str | Path | Image.Image | Tensor) -> ImageExplanation:
        """Explain an image.

        Args:
            image: a file, a Pillow image (both are turned as their EXIF data say), or uint8 RGB (3, H, W).

        Raises:
            DataError: the file is no image that can be read.
            ValueError: a tensor of another type or shape.
        """
        pixels = resize_image(_pixels(image), self.system.geometry, self.resize)
        group = ClassGroup(pixels[None].to(self.system.device), class_index=None, part=0, sample_ids=(_SAMPLE,))
        result = self.system.explain_group(group)
        (explained,) = result.explained.values()
        explanation = explained.explanation.image(0)
        count = len(explanation.concept_ids)
        curve, chance = explained.curves[0, : count + 1], explained.chance[0, : count + 1]
        language = self.system.knowledge.language[int(result.conditioning[0])]
        return ImageExplanation(
            predictions=tuple(self.class_names[index] for index in result.ranking[0].tolist()),
            parts=tuple(Part(part.mask, self._read(part.descriptor_ids)) for part in explanation.parts),
            concepts=tuple(
                Concept(*values)
                for values in zip(
                    self._read(explanation.concept_ids),
                    explanation.importance.tolist(),
                    explained.hits[0, :count].tolist(),
                    strict=True,
                )
            ),
            language=self._read(language),
            mutual_information=float(curve[0]),
            auc=float(curve.mean()),
            chance_auc=float(chance.mean()),
            kept=explained.measured["noise_kept"][0] or 0,
            view=sample_view(
                result,
                0,
                explained.explanation.explainer,
                self.system.knowledge,
                names=self.class_names,
                bank=self.descriptors,
                model=self.system.backbone.name,
                patch_size=self.system.backbone.patch_size,
            ),
        )

    def _read(self, ids: Tensor) -> tuple[str, ...]:
        return tuple(self.descriptors[i] for i in ids.tolist())


def _texts(
    backbone: str | Backbone, class_names: Sequence[str] | str | Path | None, bank: Sequence[str] | str | Path | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return class names and descriptors, those of the bundled world where a bundled model is given neither."""
    bundled = any(entry.bundled and entry.name == backbone for entry in model_entries())
    if bundled and class_names is None and bank is None:
        world = load_world()
        return world.class_names, tuple(entry.text for entry in world.descriptors)
    if class_names is None or bank is None:
        missing = "class names" if class_names is None else "a bank of descriptors"
        raise UsageError(
            f"Expected class names and a bank of descriptors, found no {missing.removeprefix('a ')}; give both, as "
            "lists or as files (a bundled model has its own where both are left out)."
        )
    if isinstance(class_names, (str, Path)):
        class_names = name_list(read_class_names(class_names))
    descriptors = load_bank(bank).descriptors if isinstance(bank, (str, Path)) else tuple(dict.fromkeys(bank))
    for kind, texts in (("class name", class_names), ("descriptor", descriptors)):
        if not texts:
            raise UsageError(f"Expected at least one {kind}, found an empty list; give some.")
    return tuple(class_names), descriptors


def _pixels(image: str | Path | Image.Image | Tensor) -> Tensor:
    """Return (3, H, W) uint8."""
    if isinstance(image, (str, Path)):
        return read_image(Path(image), Decoding(exif_orientation=True))
    if not isinstance(image, (Image.Image, Tensor)):
        raise UsageError(
            f"Expected a file, a Pillow image or a uint8 tensor (3, H, W), found {type(image).__name__}; for an array "
            "(H, W, 3) give PIL.Image.fromarray(array)."
        )
    size = image.shape if isinstance(image, Tensor) else image.size
    if 0 in size:
        raise ValueError(f"Expected an image with pixels, found one of shape {tuple(size)}.")
    if isinstance(image, Image.Image):
        return image_pixels(image, exif_orientation=True)
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"Expected a uint8 image (3, H, W), found {image.dtype} {tuple(image.shape)}.")
    return image


def explain(
    image: str | Path | Image.Image | Tensor,
    backbone: str | Backbone = "critters-vit-l",
    *,
    class_names: Sequence[str] | str | Path | None = None,
    bank: Sequence[str] | str | Path | None = None,
    templates: str | list[str] = "default",
    explainer: Literal["pca", "kmeans"] = "pca",
    random_weights: bool = False,
) -> ImageExplanation:
    """Explain one image; for many, make one :class:`ImageExplainer` and call it.

    The parts are found in the image alone (``scope: image``), where a benchmark run fits them over a class.
    On banks smaller than the published one, the number of language concepts and the pool are a twentieth and a quarter
    of the bank, as for Critters.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        image: a file, a Pillow image, or uint8 RGB (3, H, W).
        backbone: see :class:`ImageExplainer`, as all that follow.
        class_names: as there.
        bank: as there.
        templates: as there.
        explainer: as there.
        random_weights: as there.

    Returns:
        The explanation; ``print`` it, or ``plot`` it.

    Raises:
        MkbenchError: as :class:`ImageExplainer` does, and for a file that cannot be read.
        ValueError: a tensor of another type or shape.

    >>> from mkbench.datamodules.critters_world import load_world, render
    >>> kind = load_world().class_names[3]
    >>> explanation = explain(torch.from_numpy(render(kind, 0).image).permute(2, 0, 1))
    >>> explanation.predictions[0] == kind
    True
    """
    make = ImageExplainer(
        backbone,
        class_names=class_names,
        bank=bank,
        templates=templates,
        explainer=explainer,
        random_weights=random_weights,
    )
    return make(image)
