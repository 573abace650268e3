"""Head queries: neighbors and patch maps from the attention heads of one finished run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.errors import UsageError
from mkbench.heads import Decomposer, HeadBank, HeadContributions
from mkbench.heads import analyses as ask
from mkbench.heads.head_values import Head
from mkbench.heads.neighbors import Similarity
from mkbench.heads.store import ContributionStore
from mkbench.runs.results import read_results
from mkbench.studies.head_queries.answer import Answer
from mkbench.studies.head_queries.choice import find_property, read_properties, require_head, require_words
from mkbench.studies.head_queries.query_images import QueryImage, RunImages
from mkbench.studies.own_weights import require_own_weights
from mkbench.systems.head_decomposition import HeadDecomposition

#: Sample id, image file, or an image that was found already.
Query: TypeAlias = str | QueryImage


class HeadRun:
    """Finished run of ``HeadDecomposition`` that head queries are asked of.

    Images are sample ids of the run's data, or image files, which go the way that its images went. Neighbors are
    searched among the images of the run; an image of it is not its own neighbor. Texts are encoded as they are,
    without a prompt around them. What scores and maps are stands in ``mkbench.heads.analyses``.

    Every question raises ``UsageError`` where this run has no answer to it (another image, head, property or number of
    images than there is, an empty text or one that is too long), and ``DataError`` for an image or another file that
    cannot be read.

    Source: Madasu, Gandelsman, Lal & Howard, 2024 (arXiv 2409.06579), the analyses of CLIP-InterpreT.

    Args:
        store: contributions of the run.
        system: of the run, with its model.
        data: of the run, which reads its images.

    Raises:
        DataError: the model has other weights than the run.
    """

    def __init__(self, store: ContributionStore, system: HeadDecomposition, data: ClassGroupDataModule) -> None:
        require_own_weights(store.run, read_results(store.run), system)
        self.store, self.backbone = store, system.backbone
        self.decomposer = Decomposer(system.backbone)
        self.images = RunImages(data, system.geometry)

    def property_neighbors(self, *, image: Query, property_name: str, top: int, similarity: Similarity) -> Answer:
        """Find the images that are most like an image in one property.

        Args:
            image: see ``Query``.
            property_name: as ``labels.json`` of the run names it.
            top: how many images.
            similarity: see ``mkbench.heads.neighbors.nearest_rows``.
        """
        _require_positive(top)
        labels = read_properties(self.store.run, self.store.layers)
        name, heads = find_property(property_name, labels)
        query, layers = self.images.find(image), {layer for layer, _ in heads}
        terms, bank = self._decompose(query, layers), self._bank(layers)
        found = ask.property_neighbors(
            terms, bank, property_name=name, labels=labels, top=top, query_id=query.name, similarity=similarity
        )
        question = {"property": name, **query.describe(), "top": top, "similarity": similarity}
        images = self.images.read(found.ids)
        title = f"Nearest images: {found.title}"
        return Answer("property-neighbors", question, title, found, heads=heads, images=images, query=query.pixels)

    def image_neighbors(self, *, image: Query, head: Head, top: int, similarity: Similarity) -> Answer:
        """Find the images for which a head writes what it writes for an image.

        Args:
            image: see ``Query``.
            head: layer and head, of the layers of the run.
            top: how many images.
            similarity: see ``mkbench.heads.neighbors.nearest_rows``.
        """
        _require_positive(top)
        require_head(head, layers=self.store.layers, num_heads=self.store.num_heads)
        query = self.images.find(image)
        terms, bank = self._decompose(query, head[:1]), self._bank(head[:1])
        found = ask.image_neighbors(terms, bank, head=head, top=top, query_id=query.name, similarity=similarity)
        question = {"head": list(head), **query.describe(), "top": top, "similarity": similarity}
        images = self.images.read(found.ids)
        title = f"Nearest images: {found.title}"
        return Answer("image-neighbors", question, title, found, heads=[head], images=images, query=query.pixels)

    def text_neighbors(self, *, text: str, head: Head, top: int, similarity: Similarity) -> Answer:
        """Find the images for which a head writes what a text says.

        Args:
            text: what to look for.
            head: layer and head, of the layers of the run.
            top: how many images.
            similarity: see ``mkbench.heads.neighbors.nearest_rows``.
        """
        _require_positive(top)
        require_head(head, layers=self.store.layers, num_heads=self.store.num_heads)
        (text,) = require_words([text])
        return self._nearest_to_text(self._encode([text])[0], self._bank(head[:1]), text, head, top, similarity)

    def texts_neighbors(self, texts: Mapping[Head, str], *, top: int, similarity: Similarity) -> Iterator[Answer]:
        """Find, for each of many heads, the images for which it writes a text of its own; layer after layer.

        Args:
            texts: what to look for, by layer and head, of the layers of the run.
            top: how many images.
            similarity: see ``mkbench.heads.neighbors.nearest_rows``.
        """
        _require_positive(top)
        for head in texts:
            require_head(head, layers=self.store.layers, num_heads=self.store.num_heads)
        different = require_words(list(dict.fromkeys(text.strip() for text in texts.values())))
        embeddings = dict(zip(different, self._encode(different), strict=True))  # before the first answer
        for layer in sorted({layer for layer, _ in texts}):
            bank = self._bank([layer])
            for head in sorted(head for head in texts if head[0] == layer):
                text = texts[head].strip()
                yield self._nearest_to_text(embeddings[text], bank, text, head, top, similarity)

    def _nearest_to_text(
        self, embedding: Tensor, bank: HeadBank, text: str, head: Head, top: int, similarity: Similarity
    ) -> Answer:
        found = ask.text_neighbors(embedding, bank, text=text, head=head, top=top, similarity=similarity)
        question = {"head": list(head), "text": text, "top": top, "similarity": similarity}
        images = self.images.read(found.ids)
        title = f"Nearest images: {found.title}"
        return Answer("text-neighbors", question, title, found, heads=[head], images=images)

    def topic_segmentation(self, *, image: Query, text: str, head: Head | None, similarity: Similarity) -> Answer:
        """Map where in an image a head, or all of them, write what a text says.

        Args:
            image: see ``Query``.
            text: what to look for.
            head: layer and head, of all layers of the model; None sums over all heads of all layers.
            similarity: see ``mkbench.heads.patch_maps.patch_maps``.
        """
        layers = range(self.decomposer.num_layers)
        if head is not None:
            require_head(head, layers=layers, num_heads=self.decomposer.num_heads)
        (text,) = require_words([text])
        query = self.images.find(image)
        terms = self._decompose(query, layers if head is None else head[:1], tokens=True)
        found = ask.topic_segmentation(
            terms, self._encode([text])[0], text=text, grid=self.backbone.grid, head=head, similarity=similarity
        )
        question = {**query.describe(), "text": text, "head": head and list(head), "similarity": similarity}
        title = f"“{text}” in {query.name}, {found.heads}"
        patch_size = self.backbone.patch_size
        return Answer("topic-segmentation", question, title, found, query=query.pixels, patch_size=patch_size)

    def contrastive_segmentation(self, *, image: Query, texts: Sequence[str], similarity: Similarity) -> Answer:
        """Map where in an image all heads of all layers write one text rather than another.

        Args:
            image: see ``Query``.
            texts: the two texts.
            similarity: see ``mkbench.heads.patch_maps.patch_maps``.
        """
        one, other = require_words(texts)
        if one == other:
            raise UsageError(f"Expected two different texts in --texts, found {one!r} twice; give another one.")
        query = self.images.find(image)
        terms = self._decompose(query, range(self.decomposer.num_layers), tokens=True)
        embeddings = self._encode([one, other])
        found = ask.contrastive_segmentation(
            terms, embeddings, texts=(one, other), grid=self.backbone.grid, similarity=similarity
        )
        question: dict[str, Any] = {**query.describe(), "texts": [one, other], "similarity": similarity}
        title = f"“{one}” against “{other}” in {query.name}, all heads"
        return Answer("contrastive-segmentation", question, title, found, query=query.pixels)

    def _decompose(self, query: QueryImage, layers: Iterable[int], *, tokens: bool = False) -> HeadContributions:
        return self.decomposer(query.pixels[None].to(self.backbone.device), layers=sorted(layers), tokens=tokens)

    def _bank(self, layers: Iterable[int]) -> HeadBank:
        """Collect what the heads of some layers add to all images of the run, of which there may be many."""
        kept = sorted(layers)
        groups = ((self.store.read(group), group.sample_ids) for group in self.store.groups)
        return HeadBank.concatenate([HeadBank.from_contributions(terms, ids, layers=kept) for terms, ids in groups])

    @torch.no_grad()
    def _encode(self, texts: Sequence[str]) -> Tensor:
        """Embed texts, (T, d)."""
        self.backbone.truncated_texts = 0
        embeddings = self.backbone.encode_text(texts).float()
        if self.backbone.truncated_texts:
            raise UsageError(f"Expected texts that {self.backbone.name} reads whole, found a longer one; shorten it.")
        return embeddings


def _require_positive(top: int) -> None:
    if top < 1:
        raise UsageError(f"Expected --top of 1 or more, found {top}; give a larger number.")
