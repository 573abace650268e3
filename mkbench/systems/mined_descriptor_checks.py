"""Checks of the runs that descriptors are mined from: same model, classes and settings, allowed images."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from mkbench.concepts.mining import hurt_classes
from mkbench.errors import UsageError
from mkbench.runs.manifest import differences
from mkbench.systems.mined_descriptors import HeldOutRun, ImageId, MinedRun

Split = Literal["train", "paper"]


def require_same(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], *, option: str) -> None:
    """Check that a run has what another one is going to rely on.

    Args:
        folder: of the run.
        found: its ``results.json``, parsed.
        wanted: the entries of ``results.json`` that matter, with the values that they must have.
        option: the option that named the run.

    Raises:
        UsageError: an entry differs.

    Example:
        >>> require_same(Path("runs/a"), {"model": {"fingerprint": "x"}}, {"model": {"fingerprint": "x"}}, option="--o")
    """
    differing = differences(_part(found, wanted), dict(wanted))
    if differing:
        raise UsageError(
            f"Expected the run at {folder} to be of the same model, classes, concept bank and settings, found one that "
            f"differs in {', '.join(differing)}; make it anew, or correct {option}."
        )


def _part(found: Any, wanted: Any) -> Any:
    """The entries of a document that another one has too."""
    if not isinstance(wanted, Mapping) or not isinstance(found, Mapping):
        return found
    return {key: _part(found.get(key), entry) for key, entry in wanted.items()}


def count_seen(evaluated: Collection[ImageId], runs: Mapping[str, Collection[ImageId]], split: Split) -> dict[str, int]:
    """Count the evaluated images that earlier runs had seen, and refuse what the split does not allow.

    Args:
        evaluated: the images of this run.
        runs: option that names an earlier run -> its images.
        split: ``train``: no image may have been seen by any run, once there is a run of held-out images. Without
            one this is the run that all choices rest on, and no evaluation: its images may have been mined from.
            ``paper``: the images of every run must be evaluated.

    Returns:
        Option -> number of evaluated images among those of its run.

    Raises:
        UsageError: the split does not allow it.

    Example:
        >>> evaluated = [("owls", "1.png"), ("owls", "2.png")]
        >>> count_seen(evaluated, {"mined_from": [("owls", "2.png"), ("bats", "1.png")]}, "train")
        {'mined_from': 1}
    """
    counts = {}
    for option, images in runs.items():
        seen = set(evaluated) & set(images)
        counts[option] = len(seen)
        if split == "train" and seen and "held_out_from" in runs:
            raise UsageError(
                f"Expected images that the run of --model.{option} has not seen, found {len(seen)} of "
                f"{len(evaluated)} seen there, such as {min(seen)[1]!r}; evaluate others, or say --model.split paper."
            )
        if split == "paper" and len(seen) < len(images):
            raise UsageError(
                f"Expected, for --model.split paper, to evaluate the images of --model.{option}, found "
                f"{len(images) - len(seen)} of {len(images)} that are not evaluated; evaluate the same ones, or "
                "say --model.split train."
            )
    return counts


def kept_classes(mined: MinedRun, held_out: HeldOutRun | None, split: Split, num_classes: int) -> Tensor:
    """Tell which classes use what was mined for them: those that it does not hurt on held-out images.

    Args:
        mined: where it was mined; with ``train``, these images are left out of the decision.
        held_out: the held-out images; None keeps all.
        split: as in ``count_seen``.
        num_classes: number Y of classes.

    Returns:
        (Y,) bool.

    Raises:
        UsageError: no held-out image is left.
    """
    if held_out is None:
        return torch.ones(num_classes, dtype=torch.bool)
    fresh = torch.tensor([split == "paper" or image not in mined.images for image in held_out.images])
    if not bool(fresh.any()):
        raise UsageError(f"Expected images at {held_out.folder} that were not mined from, found none; hold out others.")
    return ~hurt_classes(held_out.class_index[fresh], held_out.own[fresh], held_out.mined[fresh], num_classes)
