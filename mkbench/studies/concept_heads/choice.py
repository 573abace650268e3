"""Models with runs of both systems: mutual knowledge and head decomposition."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate, find_metric, model_label
from mkbench.studies.mutual_knowledge.table import bench_rows

#: Metrics of the heads in a row, by their names in ``results.json``.
HEAD_METRICS = ("entanglement", "association", "concept_consistency", "ccs@5", "concept_consistency_ratio")
#: Keys of the control of what heads carry, see ``ClassConceptHeads.control``.
CONTROL = ("carried", "beaten")


@dataclass(frozen=True)
class ConceptHeadModel:
    """A model with a run of both systems.

    Attributes:
        label: the model's name as it is printed, followed by where the runs lie if the name stands for several pairs.
        knowledge: its run of ``MutualKnowledge``.
        heads: its run of ``HeadDecomposition``.
    """

    label: str
    knowledge: Run
    heads: Run


def _identity(run: Run) -> tuple[str, str]:
    return str(run.results["model"]["name"]), str(run.results["model"]["fingerprint"])


def join_models(runs: Sequence[Run]) -> tuple[list[ConceptHeadModel], tuple[str, ...]]:
    """Join the runs of both systems that are of one model: of the same name, weights, geometry and precision.

    Args:
        runs: of any system, as ``read_runs`` gives them.

    Returns:
        A pair for every run of mutual knowledge with every run of heads of its model, in the order of the runs; and
        notes about runs that have no counterpart. Both are empty unless there are runs of both systems.

    Example:
        >>> from pathlib import Path
        >>> def run(name, system="mutual_knowledge"):
        ...     return Run(Path(name), name, {"model": {"name": name, "fingerprint": name}, "system": system}, {})
        >>> models, notes = join_models([run("vit"), run("vit", "head_decomposition"), run("rn")])
        >>> [model.label for model in models], notes
        (['vit'], ('Not in the table of concept heads, for want of a run of the other system: rn.',))
    """
    known = [run for run in runs if run.system == "mutual_knowledge"]
    heads = [run for run in runs if run.system == "head_decomposition"]
    if not known or not heads:
        return [], ()
    pairs = [(one, other) for one in known for other in heads if _identity(one) == _identity(other)]
    names = Counter(model_label(one.results) for one, _ in pairs)
    models = [
        ConceptHeadModel(_label(one, other, alone=names[model_label(one.results)] == 1), one, other)
        for one, other in pairs
    ]
    return models, _left_out([*known, *heads], {id(run) for pair in pairs for run in pair})


def _label(one: Run, other: Run, *, alone: bool) -> str:
    name = model_label(one.results)
    places = [run.label.removeprefix(name).strip(" ()") or run.folder.name for run in (one, other)]
    return name if alone else f"{name} ({' + '.join(places)})"


def _left_out(runs: Sequence[Run], joined: set[int]) -> tuple[str, ...]:
    """Say which runs have no counterpart, and which of them would have one but for other weights."""
    alone = [run for run in runs if id(run) not in joined]
    systems: dict[str, set[str]] = {}
    for run in alone:
        systems.setdefault(_identity(run)[0], set()).add(run.system)
    other = [run.label for run in alone if len(systems[_identity(run)[0]]) == 2]
    missing = [run.label for run in alone if run.label not in other]
    notes = []
    if other:
        notes.append(f"Not joined, for other weights, geometry or precision under one name: {', '.join(other)}.")
    if missing:
        notes.append(f"Not in the table of concept heads, for want of a run of the other system: {', '.join(missing)}.")
    return tuple(notes)


def concept_head_rows(
    models: Sequence[ConceptHeadModel], control: Mapping[tuple[str, str], Mapping[str, Estimate]] | None = None
) -> list[dict[str, Any]]:
    """Collect the rows of the table of concept heads, one for each model and explainer.

    Args:
        models: with runs of both systems.
        control: (label, explainer) -> control of what the heads carry, by the keys ``CONTROL``.

    Returns:
        Rows as ``bench_rows`` gives them, of the run of mutual knowledge, with the metrics of the heads by their names,
        the control (``Estimate``, None where there is none), and the numbers of images ``images`` and ``head_images``.
    """
    rows = []
    for model in models:
        document = replace(model.knowledge, label=model.label).labelled()
        heads = model.heads.results
        of_heads = {name: find_metric(heads, name) for name in HEAD_METRICS}
        images = {"images": document["data"].get("images"), "head_images": heads["data"].get("images")}
        for row in bench_rows([(document, model.knowledge.environment)]):
            compared = (control or {}).get((model.label, row["explainer"]), {})
            rows.append({**row, **of_heads, **images, **{key: compared.get(key) for key in CONTROL}})
    return rows


def concept_head_notes(models: Sequence[ConceptHeadModel]) -> tuple[str, ...]:
    """Say what is missing or does not fit between the two runs of each model.

    >>> concept_head_notes([])
    ()
    """
    notes = []
    for model in models:
        data, other = model.knowledge.results["data"], model.heads.results["data"]
        for key in ("name", "resize", "images"):
            if data.get(key) != other.get(key):
                notes.append(
                    f"{model.label}: its runs differ in data.{key}: {data.get(key)} for mutual knowledge, "
                    f"{other.get(key)} for heads."
                )
        if find_metric(model.heads.results, HEAD_METRICS[0]) is None:
            notes.append(f"{model.label}: heads not described yet; `mkbench heads {model.heads.folder}` does it.")
    return tuple(notes)
