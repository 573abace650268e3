"""View of an explained image for its figure, from the tensors of its group."""

from collections.abc import Sequence

from mkbench.concepts.controls import WHOLE_IMAGE
from mkbench.plotting.sample import SampleView
from mkbench.runs.results import explainer_label
from mkbench.scorers.explained_group import GroupResult
from mkbench.systems.text_knowledge import TextKnowledge


def sample_view(
    result: GroupResult,
    index: int,
    explainer: str,
    knowledge: TextKnowledge,
    *,
    names: Sequence[str],
    bank: Sequence[str],
    model: str,
    patch_size: int | None = None,
) -> SampleView:
    """Return what the figure of one image shows.

    Args:
        result: the group.
        index: number of the image within the group.
        explainer: name of the explainer.
        knowledge: what the text encoder says, for the language concepts.
        names: class names, in class order.
        bank: the descriptors.
        model: name of the model.
        patch_size: side of a patch of it, in pixels; None: the largest that fits.
    """
    explanation = result.explained[explainer].explanation
    image, label = explanation.image(index), result.group.class_index
    parts: list[list[str]] = [[] for _ in range(explanation.present.shape[1])]
    for part in image.parts:
        parts[part.index] = [bank[i] for i in part.descriptor_ids.tolist()]
    language = knowledge.language[int(result.conditioning[index])].tolist()
    height, width = explanation.part_labels.shape[-2:]
    size = result.group.images.shape[-1]
    found_in = "" if explainer == WHOLE_IMAGE else " parts"
    concepts = zip(image.concept_ids.tolist(), image.importance.tolist(), strict=True)
    return SampleView(
        image=result.group.images[index].cpu().numpy(),
        saliency=result.foreground.saliency[index].cpu().numpy(),
        part_labels=explanation.part_labels[index].cpu().numpy(),
        covered=(width * (patch_size or size // width), height * (patch_size or size // height)),
        part_descriptors=parts,
        concepts=[(bank[i], value) for i, value in concepts],
        language=[bank[i] for i in language],
        class_name=None if label is None else names[label],
        predicted_name=names[int(result.ranking[index, 0])],
        heading=f"{model}, {explainer_label(explainer)}{found_in}",
    )
