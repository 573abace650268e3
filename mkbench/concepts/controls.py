"""Names of the explainers that others are compared with."""

#: Parts of another explainer that lie anywhere, :class:`mkbench.concepts.RandomParts`.
RANDOM = "random"
#: As many descriptors without any parts, :class:`mkbench.concepts.WholeImage`.
WHOLE_IMAGE = "whole-image"
#: Explainers that are controls of all others, in the order of results.
CONTROLS: tuple[str, ...] = (RANDOM, WHOLE_IMAGE)
#: What is true of the images, the ceiling of criteria of truth, :class:`mkbench.concepts.PlantedParts`.
PLANTED = "planted"
