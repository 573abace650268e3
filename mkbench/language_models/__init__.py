"""Language models behind an endpoint: questions, answers that are kept, and concept banks made of them."""

from mkbench.language_models.endpoint import Endpoint

__all__ = ["Endpoint"]
