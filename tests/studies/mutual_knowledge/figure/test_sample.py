from pathlib import Path

from matplotlib.text import Text

from mkbench.concepts import Explainer, PartsExplainer, WholeImage
from mkbench.datamodules import Critters
from mkbench.plotting.sample import sample_figure
from mkbench.studies.mutual_knowledge.figure.sample import sample_view
from mkbench.systems import MutualKnowledge


def test_view_shows_what_the_system_found(tiny_model: Path) -> None:
    data = Critters(images_per_class=3, limit_classes=2, num_workers=0)
    system = MutualKnowledge(f"local-dir:{tiny_model}", num_language_concepts=20, pool=62, refine="none")
    system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
    group = data.dataset(system.geometry, data.specs)[1]
    result = system.explain_group(group)
    view = sample_view(
        result, 2, "pca", system.knowledge, names=data.class_names, bank=data.bank.descriptors, model="tiny"
    )
    explanation = result.explained["pca"].explanation.image(2)
    texts = data.bank.descriptors
    assert view.concepts == [
        (texts[i], value)
        for i, value in zip(explanation.concept_ids.tolist(), explanation.importance.tolist(), strict=True)
    ]
    assert view.language == [texts[i] for i in system.knowledge.language[int(result.conditioning[2])].tolist()]
    assert len(view.language) == 20
    for part in explanation.parts:
        assert view.part_descriptors[part.index] == [texts[i] for i in part.descriptor_ids.tolist()]
    assert (view.class_name, view.heading) == (data.class_names[1], "tiny, PCA parts")
    assert view.predicted_name == data.class_names[int(result.ranking[2, 0])]
    assert (view.image == group.images[2].numpy()).all()


def test_a_control_without_parts_is_not_said_to_have_any(tiny_model: Path) -> None:
    data = Critters(images_per_class=1, limit_classes=2, num_workers=0)
    explainers: list[Explainer] = [PartsExplainer("pca", pool=62), WholeImage()]
    system = MutualKnowledge(f"local-dir:{tiny_model}", explainers=explainers, refine="none")
    system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
    result = system.explain_group(data.dataset(system.geometry, data.specs)[0])
    known = {"names": data.class_names, "bank": data.bank.descriptors, "model": "tiny"}
    headings = [sample_view(result, 0, name, system.knowledge, **known).heading for name in ("pca", "whole-image")]
    assert headings == ["tiny, PCA parts", "tiny, whole image"]


def test_figure_and_mutual_information_count_the_same_concepts(tiny_model: Path) -> None:
    data = Critters(images_per_class=3, limit_classes=2, num_workers=0)
    system = MutualKnowledge(f"local-dir:{tiny_model}", num_language_concepts=100, pool=62, refine="none")
    system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
    result = system.explain_group(data.dataset(system.geometry, data.specs)[0])
    known = {"names": data.class_names, "bank": data.bank.descriptors, "model": "tiny"}
    shared = []
    for index in range(3):
        hits = result.explained["pca"].hits[index]
        figure = sample_figure(sample_view(result, index, "pca", system.knowledge, **known))
        headings = {text.get_text() for text in figure.findobj(Text)}
        vision = len(result.explained["pca"].explanation.image(index).concept_ids)
        shared.append(int(hits.sum()))
        assert {f"mutual ({shared[-1]})", f"vision only ({vision - shared[-1]})"} <= headings
        assert f"language only (15 of {100 - shared[-1]} shown)" in headings
    fifteen = system.knowledge.language[:, :15]
    by_fifteen = [
        len(set(result.explained["pca"].explanation.image(i).concept_ids.tolist()) & set(fifteen[c].tolist()))
        for i, c in enumerate(result.conditioning.tolist())
    ]
    assert shared != by_fifteen  # fifteen concepts would say something else
