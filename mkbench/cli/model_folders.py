"""Folders of the models of a bench, known before any of them is loaded."""

from collections.abc import Mapping, Sequence
from typing import Any

from mkbench.cli.bench_config import shown_name
from mkbench.errors import MkbenchError, UsageError


def model_folder(model: Mapping[str, Any]) -> str | None:
    """Return the name of a model's run folder; None where only loading it can tell.

    Args:
        model: an entry of `models` of a bench.

    >>> model_folder({"backbone": "local-dir:/epochs/3/vit"}), model_folder({"backbone": "RN50", "name": "epoch 3"})
    ('vit', 'epoch_3')
    """
    # These take seconds to import.
    from mkbench.backbones.loading import backbone_name  # noqa: PLC0415
    from mkbench.systems.provenance import folder_name  # noqa: PLC0415

    if "name" in model:
        return folder_name(model["name"])
    if not isinstance(model["backbone"], str):
        return None
    weights = {name: model[name] for name in ("pretrained", "random_weights") if name in model}
    try:
        return folder_name(backbone_name(model["backbone"], **weights))
    except MkbenchError:  # its own run will say what is wrong with it
        return None


def refuse_collisions(models: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Refuse two models whose results would go to the same folder.

    Args:
        models: folder of the variant and entry of `models`, for each run.

    Raises:
        UsageError: two would; says how to name them.
    """
    taken: dict[tuple[str, str], Mapping[str, Any]] = {}
    for variant, model in models:
        folder = model_folder(model)
        if folder is None:
            continue
        other = taken.setdefault((variant, folder), model)
        if other is not model:
            raise UsageError(
                f"Expected models with folders of their own, found that {shown_name(other)} and {shown_name(model)} "
                f"both write to {folder}; give one a name: {{name: NAME, backbone: {model['backbone']}}}."
            )
