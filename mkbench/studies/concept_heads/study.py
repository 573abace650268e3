"""Concept heads of each class, from a model's runs of mutual knowledge and of head decomposition."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from mkbench.errors import DataError
from mkbench.heads.concept_heads import ConceptHeads, find_concept_heads
from mkbench.heads.head_values import Head, unit_heads
from mkbench.heads.labels import read_labels
from mkbench.heads.store import ContributionStore, open_store
from mkbench.metrics.functional import bootstrap_interval, wilson_interval
from mkbench.runs.finished_runs import Run
from mkbench.runs.group_files import read_columns
from mkbench.runs.results import Estimate, explainer_label, sort_explainers
from mkbench.runs.run_folder import LABELS
from mkbench.studies.concept_heads.choice import ConceptHeadModel

_COLUMNS = ("sample_id", "class_index", "class_name", "explainer", "descriptor_ids", "hits")
#: Returns the D descriptors of a model's run, and their unit embeddings (D, d) in its prompt.
EmbedBank = Callable[[ConceptHeadModel], tuple[Sequence[str], Tensor]]


@dataclass(frozen=True)
class ClassConceptHeads:
    """Concept heads of each class of a model, by one explainer.

    Attributes:
        model: the model's label.
        explainer: the explainer whose concepts they are.
        classes: names of the C classes that both runs have images of.
        descriptors: the concept bank.
        layers: numbers of the L layers.
        labels: property of each head that has one.
        concept_heads: scores (C, L, H).
        indices: numbers of the C classes in the run of heads.
    """

    model: str
    explainer: str
    classes: tuple[str, ...]
    descriptors: Sequence[str]
    layers: tuple[int, ...]
    labels: Mapping[Head, str]
    concept_heads: ConceptHeads
    indices: tuple[int, ...] = ()

    def known(self) -> list[int]:
        """Places of the classes that have mutual descriptors."""
        return (~self.concept_heads.own.isnan()).nonzero()[:, 0].tolist()

    def control(self) -> dict[str, Estimate]:
        """Compare the descriptors of classes with those of other classes, each at the head that it projects on most.

        Returns:
            ``carried``, the share of classes whose own descriptors score higher than those of others on average, and
            ``beaten``, the share of other classes that they beat, with 95 % intervals over classes; empty for fewer
            than two classes.
        """
        compared = ~self.concept_heads.others.isnan()
        if not compared.any():
            return {}
        ahead = (self.concept_heads.own > self.concept_heads.others).double()
        ahead, beaten = ahead[compared], self.concept_heads.beaten[compared]
        return {
            "carried": Estimate(float(ahead.mean()), wilson_interval(int(ahead.sum()), len(ahead))),
            "beaten": Estimate(float(beaten.mean()), bootstrap_interval(beaten)),
        }


def find_class_heads(model: ConceptHeadModel, embed: EmbedBank) -> tuple[list[ClassConceptHeads], tuple[str, ...]]:
    """Find the concept heads of each class, for each explainer of a model.

    The mutual descriptors of a class are those that explanations of its images share with the language concepts, each
    weighted by the number of such images. Where the two runs share images of a class, only those count in either;
    otherwise all that each of them has.

    Args:
        model: with runs of both systems.
        embed: encodes the concept bank.

    Returns:
        One entry for each explainer with a mutual descriptor, and notes about classes and images.

    Raises:
        UsageError: a run that is not finished.
        DataError: a damaged file, or concepts that the bank does not have.
        MkbenchError: as ``embed``.
    """
    store = open_store(model.heads.folder)
    rows = _read_rows(model)
    owners: set[int] = set(rows["owner"].drop_null().to_pylist())
    classes = sorted(owners & {group.class_index for group in store.groups})
    if not classes:
        return [], (f"{model.label}: its runs share no class, so nothing is said of its concept heads.",)
    shared = _shared_images(model, store, rows)
    rows, apart = _keep_shared(rows, classes, shared)
    descriptors, texts = embed(model)
    means = _class_means(store, classes, shared, apart)
    names = tuple(model.heads.results["class_names"][index] for index in classes)
    labels = _read_head_labels(model.heads)
    found: list[ClassConceptHeads] = []
    notes = [_apart_note(model, len(apart), len(classes))] if apart else []
    for explainer in sort_explainers(set(rows["explainer"].to_pylist())):
        weights = _weights(rows.filter(pc.equal(rows["explainer"], explainer)), classes, len(descriptors), model)
        without = int((weights.sum(dim=1) == 0).sum())
        if without:
            whose = f"{model.label}, {explainer_label(explainer)}"
            notes.append(f"{whose}: {without} of {len(classes)} classes have no mutual concepts.")
        if without < len(classes):
            concept_heads = find_concept_heads(means, texts, weights)
            found.append(
                ClassConceptHeads(
                    model.label, explainer, names, descriptors, store.layers, labels, concept_heads, tuple(classes)
                )
            )
    return found, tuple(notes)


def _apart_note(model: ConceptHeadModel, apart: int, classes: int) -> str:
    return (
        f"{model.label}: its runs share no image of {apart} of {classes} classes; for these, what heads add is that of "
        "the images in the run of heads."
    )


def _read_rows(model: ConceptHeadModel) -> pa.Table:
    """The rows of the run of mutual knowledge with the number that the run of heads gives their class, ``owner``."""
    rows = read_columns(model.knowledge.folder, _COLUMNS)
    ours, others = model.knowledge.results, model.heads.results
    if ours["data"].get("class_names_sha256") == others["data"].get("class_names_sha256"):
        return rows.append_column("owner", rows["class_index"])  # two classes may bear one name
    numbers = pc.index_in(rows["class_name"], pa.array(others["class_names"], pa.string()), skip_nulls=True)
    return rows.append_column("owner", pc.cast(numbers, pa.int64()))


def _shared_images(model: ConceptHeadModel, store: ContributionStore, rows: pa.Table) -> set[str]:
    """Images of both runs; none of two data sets, in which the same name stands for another image."""
    if model.knowledge.results["data"]["name"] != model.heads.results["data"]["name"]:
        return set()
    return set(store.sample_ids) & set(rows["sample_id"].to_pylist())


def _keep_shared(rows: pa.Table, classes: Sequence[int], shared: set[str]) -> tuple[pa.Table, set[int]]:
    """Keep the rows of the classes, of shared images where a class has any; and return the classes without any."""
    rows = rows.filter(pc.is_in(rows["owner"], pa.array(classes, pa.int64())))
    same = pc.is_in(rows["sample_id"], pa.array(sorted(shared), pa.string()))
    apart = set(classes) - set(rows.filter(same)["owner"].to_pylist())
    alone = pc.is_in(rows["owner"], pa.array(sorted(apart), pa.int64()))
    return rows.filter(pc.or_(same, alone)), apart


def _class_means(store: ContributionStore, classes: Sequence[int], shared: set[str], apart: set[int]) -> Tensor:
    """(C, L, H, d) float64, what heads add to the images of each class on average."""
    places = {index: place for place, index in enumerate(classes)}
    total = torch.zeros(len(classes), len(store.layers), store.num_heads, store.width, dtype=torch.float64)
    counts = torch.zeros(len(classes), 1, 1, 1, dtype=torch.float64)
    for group in store.groups:
        if group.class_index in places:
            everything = group.class_index in apart
            kept = torch.tensor([everything or sample_id in shared for sample_id in group.sample_ids])
            place = places[group.class_index]
            total[place] += unit_heads(store.read(group))[kept].sum(dim=0, dtype=torch.float64)
            counts[place] += int(kept.sum())
    return total / counts


def _weights(rows: pa.Table, classes: Sequence[int], bank: int, model: ConceptHeadModel) -> Tensor:
    """(C, D) float64, for how many images of a class each descriptor is a mutual one."""
    owners = np.searchsorted(classes, rows["owner"].to_numpy())
    images = pc.list_parent_indices(rows["descriptor_ids"]).to_numpy()
    ids, hits = (pc.list_flatten(rows[name]).to_numpy() for name in ("descriptor_ids", "hits"))
    if len(ids) != len(hits) or (len(ids) and not 0 <= ids.min() <= ids.max() < bank):
        raise DataError(
            f"Expected concepts of a bank of {bank} in {model.knowledge.folder}, found others; run `mkbench predict` "
            "again with --results.overwrite true."
        )
    mutual = hits.astype(bool)
    counts = np.zeros((len(classes), bank))
    np.add.at(counts, (owners[images[mutual]], ids[mutual]), 1.0)
    return torch.from_numpy(counts)


def _read_head_labels(run: Run) -> dict[Head, str]:
    """The property of each head that has one; empty before `mkbench heads`."""
    path = run.folder / LABELS
    heads = read_labels(path).heads if path.is_file() else ()
    return {(head.texts.layer, head.texts.head): head.label.label for head in heads if head.label.label}
