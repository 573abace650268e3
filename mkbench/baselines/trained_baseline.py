"""Trained heads as files: safetensors, with all that has to fit a later run in the header."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mkbench.atomic_files import written_whole
from mkbench.backbones import Backbone
from mkbench.baselines.base import Head, HeadInputs
from mkbench.baselines.feature_maps import FeatureMaps
from mkbench.baselines.lf_cbm import LFCBM
from mkbench.baselines.linear_probe import LinearProbe
from mkbench.baselines.mm_cbm import MMCBM
from mkbench.baselines.mm_protosim import MMProtoSim
from mkbench.errors import DataError, UsageError
from mkbench.text_files import parse_json

_META_KEY = "mkbench"
_SCHEMA_VERSION = 1

#: The heads by the name that files know them by.
HEADS: dict[str, type[Head]] = {head.name: head for head in (MMCBM, MMProtoSim, FeatureMaps, LFCBM, LinearProbe)}


@dataclass(frozen=True)
class TrainedHead:
    """Trained head with its provenance.

    Attributes:
        head: the head, in evaluation mode and frozen.
        record: what was trained on what: ``backbone`` (``name``, ``fingerprint``, ``features``), ``bank``
            (``source``, ``sha256``, ``size``), ``descriptor_template``, ``classes`` (``number``, ``sha256``), ``data``,
            ``top1`` (share of the test images, 0..1) and ``test_images``.
        file: where it was read.
        sha256: of the file.
    """

    head: Head
    record: Mapping[str, Any]
    file: Path
    sha256: str

    @property
    def top1(self) -> float:
        """Share of the test images whose class it found, 0 to 1, measured at the end of training."""
        return float(self.record["top1"])

    def require_backbone(self, backbone: Backbone) -> None:
        """Check that features come from the model that the head was trained on.

        Raises:
            UsageError: other weights, another geometry or another precision.
        """
        trained = self.record["backbone"]
        if backbone.fingerprint != trained["fingerprint"]:
            raise UsageError(
                f"Expected {trained['name']} in the precision that {self.file} was trained with, found "
                f"{backbone.name} of other weights, geometry or precision; choose that model or train the head again."
            )

    def require_concepts(self, concepts: Tensor) -> None:
        """Check that a run's (D, d) prompted descriptors are those that the head was trained with.

        Raises:
            UsageError: other descriptors, or another prompt.
        """
        trained = getattr(self.head, "concepts", None)
        fits = concepts.shape[0] == self.head.inputs_shape["concepts"]
        if isinstance(trained, Tensor) and fits:
            # Far above what another device changes, far below what another word does.
            fits = trained.shape == concepts.shape and torch.allclose(trained, concepts.to(trained), rtol=0, atol=1e-3)
        if not fits:
            bank = self.record["bank"]
            raise UsageError(
                f"Expected the {bank['size']} descriptors of {bank['source']} as "
                f"{self.record['descriptor_template']!r}, which {self.file} was trained with, found others "
                f"({len(concepts)}); choose that bank and --model.descriptor_template, or train the head again."
            )

    def require_run(self, description: Mapping[str, Any], *, features: str | None) -> None:
        """Check that a run has the concept bank, the classes and the kind of features that the head was trained with.

        Args:
            description: ``ClassGroupDataModule.describe()`` of the run.
            features: the kind of its patch features; None: the head looks at none.

        Raises:
            UsageError: another bank, another class list or another kind.
        """
        for what, trained, found in (
            ("concept bank", self.record["bank"]["sha256"][:12], description["bank"]["sha256"][:12]),
            ("class list", self.record["classes"]["sha256"][:12], description["class_names_sha256"][:12]),
            ("kind of features", self.record["backbone"]["features"], features),
        ):
            if found not in (None, trained):
                raise UsageError(
                    f"Expected the {what} that {self.file} was trained with ({trained}), found another ({found}); "
                    f"choose that {what} or train the head again."
                )


def save_head(file: Path, head: Head, record: Mapping[str, Any]) -> None:
    """Write a head, whole or not at all; the same head and record give the same bytes.

    Args:
        file: where to; its folder is made.
        head: the trained head.
        record: see `TrainedHead`.

    Raises:
        OSError: the file cannot be written.
    """
    meta = {"schema_version": _SCHEMA_VERSION, "head": head.name, "options": head.options()}
    meta |= {"shape": head.inputs_shape, **record}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in head.state_dict().items()}
    with written_whole(file) as temporary:
        temporary.write_bytes(save(tensors, metadata={_META_KEY: json.dumps(meta, sort_keys=True)}))


def load_head(file: Path) -> TrainedHead:
    """Read a trained head.

    Args:
        file: a file of `save_head`.

    Raises:
        UsageError: there is no such file.
        DataError: it is damaged, or no trained head of this version.

    >>> import tempfile
    >>> inputs = HeadInputs.blank({"concepts": 7, "embed_dim": 4, "classes": 3, "feature_dim": 6, "grid": [2, 2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_head(Path(folder) / "probe.safetensors", LinearProbe(inputs), {"top1": 0.75})
    ...     trained = load_head(Path(folder) / "probe.safetensors")
    >>> trained.head.name, trained.top1
    ('linear-probe', 0.75)
    """
    if not file.is_file():
        raise UsageError(
            f"Expected a trained head at {file}, found no file; train one with `mkbench fit` and a configuration such "
            "as configs/critters/baselines/mm_cbm.yaml, or correct the path."
        )
    try:
        with safe_open(file, framework="pt") as opened:
            meta = parse_json((opened.metadata() or {})[_META_KEY])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
        if meta["schema_version"] != _SCHEMA_VERSION:
            raise KeyError("schema_version")
        head = HEADS[meta["head"]](HeadInputs.blank(meta["shape"]), **meta["options"])
        head.load_state_dict(tensors)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DataError(
            f"Expected a trained head of this version in {file}, found a damaged or another file "
            f"({type(error).__name__}); train it again."
        ) from error
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return TrainedHead(head.eval().requires_grad_(False), meta, file, sha256)
