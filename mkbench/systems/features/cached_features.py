"""DataModule of the baselines: features of images to train and to test on, with their concepts and classes."""

from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mkbench.backbones import Backbone, load_backbone
from mkbench.backbones.base import Kind
from mkbench.baselines.base import HeadInputs
from mkbench.concepts.templates import require_template
from mkbench.datamodules.base import ClassGroupDataModule, require_at_least
from mkbench.errors import UsageError
from mkbench.metrics.functional import membership
from mkbench.systems.features.feature_cache import FeatureCache
from mkbench.systems.features.feature_set import FeatureBatch, FeatureSet, as_batch
from mkbench.systems.text_cache import TextCache, cache_folder
from mkbench.systems.text_knowledge import TextKnowledge, read_texts


class CachedFeatures(L.LightningDataModule):
    """Serves the features of a frozen model; every image is encoded once, before the first epoch.

    Args:
        backbone: a name that :func:`mkbench.load_backbone` takes, or a backbone.
        train: images to train on.
        test: images to measure top-1 on, of the same classes and with the same bank; nothing is chosen by them.
        pretrained: weight tag, for a bare architecture name.
        random_weights: build the architecture with random weights.
        features: which patch features: ``tokens``, ``keys`` or ``both``.
        batch_size: images a step; the rest of an epoch that does not fill a batch is left out of it.
        cache: where features are kept for the next run: ``auto`` (the user's cache folder), ``off`` (memory) or a
            folder. An image takes 2 N C bytes.
        text_cache: where text embeddings are kept: ``auto``, ``off`` or a folder.
        descriptor_template: prompt of the bank's descriptors.
        num_language_concepts: descriptors nearest to a class that count as its own, where the bank does not say.
        encoder_chunk: images in one call of the image encoder; bounds memory.

    Raises:
        UsageError: a number below 1, a model that there is not, images without labels, or other classes or another
            bank to test on than to train on, or the same images.
    """

    def __init__(
        self,
        backbone: str | Backbone,
        train: ClassGroupDataModule,
        test: ClassGroupDataModule,
        *,
        pretrained: str | None = None,
        random_weights: bool = False,
        features: Kind = "tokens",
        batch_size: int = 64,
        cache: str = "auto",
        text_cache: str = "auto",
        descriptor_template: str = "a photo showing {}",
        num_language_concepts: int = 50,
        encoder_chunk: int = 64,
    ) -> None:
        super().__init__()
        require_at_least(2, "batch_size", batch_size)  # the heads standardise over a batch
        require_at_least(1, "num_language_concepts", num_language_concepts)
        require_at_least(1, "encoder_chunk", encoder_chunk)
        require_template("--model.descriptor_template", descriptor_template)
        loaded = (
            load_backbone(backbone, pretrained=pretrained, random_weights=random_weights)
            if isinstance(backbone, str)
            else backbone
        )
        self.backbone = loaded.eval().requires_grad_(False)
        self.images = {"train": train, "test": test}
        self.features: Kind = features
        self.batch_size, self.encoder_chunk = batch_size, encoder_chunk
        self.cache = cache_folder(cache, "features")
        self.text_cache = TextCache(cache_folder(text_cache))
        self.descriptor_template = descriptor_template
        self.num_language_concepts = num_language_concepts
        self.sets: dict[str, FeatureSet] = {}
        self.text: TextKnowledge | None = None

    def prepare_data(self) -> None:
        """Encode all images on the first device of every machine; the others then find them in the cache."""
        self._require_fitting_data()
        if self.cache is not None:
            self._encode()

    def setup(self, stage: str) -> None:
        """Open the features and encode the texts, unless that has been done."""
        if self.sets:
            return
        self.sets = self._encode()
        if len(self.sets["train"]) < 2:
            raise UsageError("Expected at least 2 training images, found 1; give more with --data.train.")
        data = self.images["train"]
        self.text = read_texts(
            self.backbone,
            data.class_names,
            data.templates,
            data.bank.descriptors,
            descriptor_template=self.descriptor_template,
            relevance_template="{}",
            num_language_concepts=self.num_language_concepts,
            cache=self.text_cache,
        )
        self.backbone.cpu()  # the device is for training from now on

    def train_dataloader(self) -> DataLoader[FeatureBatch]:
        """Return shuffled batches of training images."""
        features = self.sets["train"]
        return DataLoader(
            features, self.batch_size, shuffle=True, drop_last=len(features) >= self.batch_size, collate_fn=as_batch
        )

    def val_dataloader(self) -> DataLoader[FeatureBatch]:
        """Return batches of test images, in order."""
        return DataLoader(self.sets["test"], self.batch_size, collate_fn=as_batch)

    @property
    def inputs(self) -> HeadInputs:
        """Inputs of a new head; known after ``setup``.

        Raises:
            RuntimeError: ``setup`` was not called.
        """
        if self.text is None:
            raise RuntimeError("Expected features, found none; call setup first.")
        return HeadInputs(
            self.text.prompted.cpu(),
            self._class_concepts(self.text),
            self.backbone.grid,
            *self.sets["train"].statistics(),
        )

    @property
    def record(self) -> dict[str, Any]:
        """Provenance of features and data for a trained head; see `TrainedHead`."""
        described = {split: data.describe() for split, data in self.images.items()}
        train = described["train"]
        return {
            "backbone": {
                "name": self.backbone.name,
                "fingerprint": self.backbone.fingerprint,
                "features": self.features,
                "random_weights": self.backbone.random_weights,
            },
            "bank": train["bank"],
            "descriptor_template": self.descriptor_template,
            "classes": {"number": train["class_list"], "sha256": train["class_names_sha256"]},
            "data": described,
        }

    def _encode(self) -> dict[str, FeatureSet]:
        trainer = self.trainer
        if trainer is not None:
            self.backbone.to(trainer.strategy.root_device)
        show = trainer is not None and trainer.is_global_zero and trainer.progress_bar_callback is not None
        cache = FeatureCache(self.cache, self.encoder_chunk, show)
        return {split: cache.features(self.backbone, data, self.features) for split, data in self.images.items()}

    def _class_concepts(self, text: TextKnowledge) -> Tensor:
        """(Y, D) bool: the descriptors that the bank lists under a class, else those nearest to its name."""
        data = self.images["train"]
        listed = data.bank.by_class or {}
        if not all(listed.get(name) for name in data.class_names):
            return text.member[:].cpu()
        rows = [torch.tensor(listed[name]) for name in data.class_names]
        return torch.cat([membership(row[None], len(data.bank)) for row in rows])

    def _require_fitting_data(self) -> None:
        """Raise if training and test images do not go together."""
        if not all(data.labelled for data in self.images.values()):
            raise UsageError(
                "Expected images with labels to train and test on, found some without; give class folders."
            )
        train, test = (data.describe() for data in self.images.values())
        for what, key in (("class list", "class_names_sha256"), ("concept bank", "bank")):
            if train[key] != test[key]:
                raise UsageError(
                    f"Expected one {what} in --data.train and --data.test, found two; give both the same classes and "
                    "bank."
                )
        samples = [[spec.sample_ids for spec in data.specs] for data in self.images.values()]
        if train == test and samples[0] == samples[1]:
            raise UsageError(
                "Expected other images in --data.test than in --data.train, found the same; give another split."
            )


def attached_features(trainer: L.Trainer) -> CachedFeatures:
    """Return the DataModule of cached features that a trainer runs on.

    Raises:
        UsageError: it has none, or one of another kind.
    """
    data: Any = getattr(trainer, "datamodule", None)
    if not isinstance(data, CachedFeatures):
        raise UsageError(
            "Expected `data` to be mkbench.systems.features.CachedFeatures to train a baseline on, found "
            f"{type(data).__name__}."
        )
    return data
