"""Text knowledge of a model: embeddings of classes and descriptors, and language concepts of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts import language_concepts
from mkbench.metrics.functional import Membership
from mkbench.systems.text_cache import TextCache


@dataclass(frozen=True)
class TextKnowledge:
    """Text embeddings and language concepts of a model, computed once.

    Attributes:
        classes: (Y, d) unit rows, the prompt ensemble of every class.
        bare: (D, d) unit rows, the descriptors in the relevance template.
        prompted: (D, d) unit rows, the descriptors in their prompt.
        language: (Y, u) int64, the language concepts D_y of every class.
        member: the same as a look-up table.
    """

    classes: Tensor
    bare: Tensor
    prompted: Tensor
    language: Tensor
    member: Membership


@torch.no_grad()
def read_texts(
    backbone: Backbone,
    class_names: Sequence[str],
    templates: Sequence[str],
    descriptors: Sequence[str],
    *,
    descriptor_template: str,
    relevance_template: str,
    num_language_concepts: int,
    cache: TextCache,
) -> TextKnowledge:
    """Encode class names and bank, or take them from the cache, and choose the language concepts of every class.

    Args:
        backbone: the model; its ``truncated_texts`` is then the count of these texts.
        class_names: Y names, in class order.
        templates: class prompts with ``{}``.
        descriptors: D descriptors, in bank order.
        descriptor_template: prompt of the descriptors.
        relevance_template: prompt of the descriptors when compared with the whole image.
        num_language_concepts: u, at most D.
        cache: where embeddings are kept.

    Returns:
        ``TextKnowledge`` on the backbone's device.
    """
    backbone.truncated_texts = 0
    classes = cache.embed_classes(backbone, class_names, templates)
    banks = {
        template: cache.embed_bank(backbone, descriptors, template)
        for template in dict.fromkeys((descriptor_template, relevance_template))
    }
    prompted, bare = banks[descriptor_template], banks[relevance_template]
    language = language_concepts(classes, prompted, num_language_concepts)
    return TextKnowledge(classes, bare, prompted, language, Membership(language, len(descriptors)))
