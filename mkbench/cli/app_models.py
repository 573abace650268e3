"""Models of the app: finished runs, and models over the bundled images, for which runs are made."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from mkbench.backbones import Backbone, load_backbone
from mkbench.backbones.known_models import model_entries
from mkbench.backbones.loading import backbone_name
from mkbench.backbones.local import PREFIX
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.cli.command_table import make_parser
from mkbench.cli.commands.heads import prepare_description
from mkbench.cli.functions import predict
from mkbench.cli.lost_results import open_runs
from mkbench.cli.own_texts import OwnTexts
from mkbench.cli.run_parts import load_any_system, load_data
from mkbench.datamodules import Critters
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.errors import BackboneError, MkbenchError, UsageError
from mkbench.heads.store import open_store
from mkbench.report.app.asked_model import AskedModel, Explanation, Opener
from mkbench.runs.finished_runs import Run
from mkbench.runs.run_folder import LABELS
from mkbench.single_image import ImageExplainer
from mkbench.studies.head_queries.choice import read_run_labels
from mkbench.studies.head_queries.query_images import RunImages
from mkbench.studies.head_queries.study import HeadRun
from mkbench.studies.own_weights import require_own_weights
from mkbench.systems import HeadDecomposition, MutualKnowledge
from mkbench.systems.base import BenchmarkSystem

_CONFIG = "configs/critters/heads.yaml"
_DEFAULT = "critters-vit-l"
#: Bundled images of each kind of critter among which a bundled or local model looks for neighbors.
_IMAGES_PER_CLASS = 5


def find_openers(
    words: Sequence[str], *, out: Path, texts: OwnTexts | None = None, trust: bool = False
) -> dict[str, Opener]:
    """Return what opens each model of the app, by the name that its menu has.

    Args:
        words: folders of runs or benches, names of models, ``local-dir:FOLDER``; none for the bundled models.
        out: folder of the runs of models that are named.
        texts: what models that are named explain images with; None takes the classes and descriptors of Critters.
        trust: build whatever classes the configuration of a run names.

    Raises:
        UsageError: a folder without a finished run, or one of another system; texts beside runs alone.
        DataError: a damaged run, or one of another schema version.
    """
    bundled = [entry.name for entry in model_entries() if entry.bundled]
    named = list(words) or sorted(bundled, key=lambda name: name != _DEFAULT)
    models = [word for word in named if _is_model(word)]
    folders = [Path(word) for word in named if word not in models]
    if texts and not models:
        raise UsageError(
            "Expected a model for --class-names and --bank, found runs alone, which have their own; name a model such "
            "as local-dir:FOLDER, or leave both options out."
        )
    openers: dict[str, Opener] = {run.label: partial(_open_run, run, trust) for run in _find_runs(folders, trust)}
    for model in dict.fromkeys(models):
        name = backbone_name(model)
        if name in openers:
            raise UsageError(
                f"Expected models and runs of different names, found two called {name!r}; rename a folder."
            )
        openers[name] = partial(_open_model, model, out, texts)
    return openers


def _is_model(word: str) -> bool:
    known = {entry.name for entry in model_entries()}
    return word.startswith(PREFIX) or (word in known and not Path(word).exists())


def _find_runs(folders: Sequence[Path], trust: bool) -> list[Run]:
    runs = list(open_runs(folders, trust=trust))
    asked = [run for run in runs if run.system in ("head_decomposition", "mutual_knowledge")]
    if folders and not asked:
        raise UsageError(
            f"Expected runs of attention heads or of mutual knowledge, found {runs[0].folder} of {runs[0].system}; "
            "name another."
        )
    return sorted(asked, key=lambda run: run.system != "head_decomposition")  # those that every view can ask first


def _open_run(run: Run, trust: bool, say: Callable[[str], None]) -> AskedModel:
    say(f"Opening {run.folder} ...")
    system, data = load_any_system(run.folder, trust=trust), load_data(run.folder, trust=trust)
    return _asked(run, system, data, _texts_of(data))


def _asked(run: Run, system: BenchmarkSystem, data: ClassGroupDataModule, texts: OwnTexts) -> AskedModel:
    require_own_weights(run.folder, run.results, system)
    heads: HeadRun | MkbenchError
    if isinstance(system, HeadDecomposition):
        heads = HeadRun(open_store(run.folder), system, data)
        images = heads.images
    else:
        heads, images = _why_no_heads(system, run.folder), RunImages(data, system.geometry)
    labels = read_run_labels(run.folder) if (run.folder / LABELS).is_file() else None
    about = f"{run.label}, {run.results['data']['images']} images of {data.name}, {run.folder.as_posix()}"
    return AskedModel(about, images, _explainer(system, data, texts), heads, labels, _example_texts(texts))


def _why_no_heads(system: BenchmarkSystem, run: Path) -> MkbenchError:
    try:
        find_tower(system.backbone)
    except BackboneError as error:
        return error
    return UsageError(
        f"Expected a run of attention heads, found one of mutual knowledge at {run.as_posix()}; run `mkbench predict` "
        "with a configuration such as critters/heads.yaml, and start the app with its folder too."
    )


def _open_model(name: str, out: Path, own: OwnTexts | None, say: Callable[[str], None]) -> AskedModel:
    """Open a model over the bundled images, after a run that an earlier app may have finished."""
    if own:
        own.require_short(load_backbone(name))
    say(f"Opening {name}: the first time, its heads are read over the bundled images and labelled ...")
    options: dict[str, Any] = {"model.backbone": name, "data.images_per_class": _IMAGES_PER_CLASS}
    quick = {"data.num_workers": 0, "trainer.enable_model_summary": False}
    try:
        run = predict(_CONFIG, {**options, **quick}, out=out)
    except UsageError as error:  # the options are the same each time: another model of this name was asked before
        raise UsageError(
            f"Expected runs of this very model in {out}, found one of another that is called {name}; give another "
            "--out, or delete that run."
        ) from error
    except BackboneError as error:
        return _without_heads(load_backbone(name), own, error)
    if not (run.folder / LABELS).is_file():
        prepare_description(run.folder, make_parser("heads").parse_args([str(run.folder)]))()
    system, data = load_any_system(run.folder), load_data(run.folder)
    return _asked(run, system, data, own or _texts_of(data))


def _without_heads(backbone: Backbone, own: OwnTexts | None, reason: BackboneError) -> AskedModel:
    """Return a model that can explain images, though its heads cannot be told apart."""
    system, data = MutualKnowledge(backbone), Critters(images_per_class=_IMAGES_PER_CLASS)
    texts = own or _texts_of(data)
    about = f"{backbone.name}, {len(data.class_names) * _IMAGES_PER_CLASS} images of {data.name}"
    images = RunImages(data, system.geometry)
    return AskedModel(about, images, _explainer(system, data, texts), reason, None, _example_texts(texts))


def _texts_of(data: ClassGroupDataModule) -> OwnTexts:
    return OwnTexts(data.class_names, data.bank.descriptors, data.templates)


def _explainer(system: BenchmarkSystem, data: ClassGroupDataModule, texts: OwnTexts) -> Callable[[Tensor], Explanation]:
    """Return what explains an image by class names and descriptors, which are encoded when it is first used."""
    made: list[ImageExplainer] = []

    def explain(image: Tensor) -> Explanation:
        if not made:
            made.append(
                ImageExplainer(
                    system.backbone,
                    class_names=texts.class_names,
                    bank=texts.descriptors,
                    templates=list(texts.templates),
                    refine=system.refine if isinstance(system, MutualKnowledge) else "crf",
                    resize=data.resize,
                )
            )
        return made[0](image)

    return explain


def _example_texts(texts: OwnTexts) -> list[str]:
    first = texts.templates[0]
    return [first.format(name) for name in (*texts.class_names, "animal", "background")]
