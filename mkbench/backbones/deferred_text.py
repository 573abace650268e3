"""Text towers of Hugging Face that are built when the first text is encoded.

Image-only work, such as the decomposition over heads, then needs neither the package transformers nor its files.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from torch import Tensor
from torch.nn import Module, Parameter

from mkbench.backbones.weights import load_weights
from mkbench.errors import BackboneError


class DeferredTextTower(Module):
    """Weights of a text tower under the names they have in it, until the tower is built.

    A model that holds it has the same state dict, and so the same fingerprint, as with the tower itself.

    Args:
        state: names in the text tower -> weights.
        build: builds the tower, with any weights.
        source: what the weights are called in errors.

    >>> import torch
    >>> text = DeferredTextTower({"proj.weight": torch.ones(1, 2)}, lambda: torch.nn.ModuleDict(
    ...     {"proj": torch.nn.Linear(2, 1, bias=False)}), source="w")
    >>> list(text.state_dict()), text.build()["proj"].weight.tolist()
    (['proj.weight'], [[1.0, 1.0]])
    """

    def __init__(self, state: Mapping[str, Tensor], build: Callable[[], Module], *, source: str) -> None:
        super().__init__()
        self._build, self._source = build, source
        for name, tensor in state.items():
            *path, last = name.split(".")
            owner: Module = self
            for part in path:
                if part not in owner._modules:
                    owner.add_module(part, Module())
                owner = owner.get_submodule(part)
            if tensor.is_floating_point():
                owner.register_parameter(last, Parameter(tensor, requires_grad=False))
            else:
                owner.register_buffer(last, tensor)

    def build(self) -> Module:
        """Build the tower with these weights, on their device and in their precision, frozen.

        Raises:
            BackboneError: if the weights do not fit it.
            Exception: whatever the builder raises, for want of a package or a file.
        """
        state = self.state_dict()
        tower = self._build()
        load_weights(tower, state, source=self._source)
        like = next((tensor for tensor in state.values() if tensor.is_floating_point()), None)
        if like is not None:
            tower = tower.to(like.device, like.dtype)
        return tower.eval().requires_grad_(False)


@contextmanager
def needing_hugging_face(thing: str) -> Iterator[None]:
    """Turn whatever fails about a tokenizer or text tower of Hugging Face into one sentence.

    Args:
        thing: what is being loaded, the beginning of the sentence.

    Raises:
        BackboneError: what to install or fetch.
    """
    try:
        with refusing_code(thing):
            yield
    except BackboneError:
        raise
    except Exception as error:  # the package, the network, the hub, its cache: each with errors of its own
        if find_spec("transformers") is None:
            raise BackboneError(
                f"{thing} needs the package transformers, found no such package; install it with: "
                "pip install 'mkbench[hf]'."
            ) from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BackboneError(
            f"{thing} cannot be had ({reason}); it comes from Hugging Face and needs, once, a network, or a copy of "
            "its repository in the Hugging Face cache (HF_HOME)."
        ) from error


@contextmanager
def refusing_code(thing: str) -> Iterator[None]:
    """Have transformers refuse code that lies in a repository or model folder, where it would ask whether to run it.

    Args:
        thing: what is being loaded, the beginning of the sentence.

    Raises:
        BackboneError: if that cannot be loaded without its code.
    """
    if find_spec("transformers") is None:
        yield
        return
    from transformers import dynamic_module_utils  # noqa: PLC0415  # an optional package

    before = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0  # seconds to answer in; zero asks nobody and refuses
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise BackboneError(
            f"{thing} needs code that comes with its files, which is never run; choose a model whose tokenizer and "
            "text tower are part of the package transformers."
        ) from error
    finally:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = before


def has_hugging_face_text(config: Mapping[str, Any]) -> bool:
    """Whether the text tower of a model configuration of open_clip is one of Hugging Face.

    >>> has_hugging_face_text({"text_cfg": {"hf_model_name": "roberta-base"}})
    True
    """
    return bool(config["text_cfg"].get("hf_model_name"))
