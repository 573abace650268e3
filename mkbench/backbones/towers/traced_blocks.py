"""Recording of what passes the blocks of open_clip's vision transformers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor

from mkbench.backbones.block_trace import BlockTrace, TracedBlock
from mkbench.backbones.towers.attention_maps import expose_attention
from mkbench.backbones.towers.hooks import WatchPoint, intercept, watch


def trace_open_clip(visual: Any, embed: Callable[[], object]) -> BlockTrace:
    """Trace the blocks of a vision transformer with a class token and plain attention.

    Args:
        visual: open_clip's ``VisionTransformer``.
        embed: runs its forward pass once.

    >>> import open_clip, torch
    >>> visual = open_clip.create_model("ViT-S-32-alt").visual.eval().requires_grad_(False)
    >>> trace = trace_open_clip(visual, lambda: visual(torch.zeros(1, 3, 224, 224)))
    >>> len(trace.blocks), trace.read(trace.blocks[-1].output[:, 0]).shape
    (12, torch.Size([1, 256]))
    """
    blocks = visual.transformer.resblocks
    points = {f"input {number}": WatchPoint(block, "input") for number, block in enumerate(blocks)}
    points |= {f"output {number}": WatchPoint(block, "output") for number, block in enumerate(blocks)}
    with _cut_off(blocks), watch(points) as seen, expose_attention([block.attn for block in blocks]) as steps:
        embed()
    traced = [
        TracedBlock(
            seen[f"input {number}"], *steps[number], seen[f"output {number}"], partial(add_to_stream, blocks[number])
        )
        for number in range(len(blocks))
    ]
    return BlockTrace(tuple(traced), partial(read_stream, visual))


@contextmanager
def _cut_off(blocks: Sequence[Any]) -> Iterator[None]:
    """Cut each block off from the gradients of those after it."""
    with ExitStack() as stack:
        for block in blocks:
            stack.enter_context(intercept(WatchPoint(block, "input"), Tensor.detach))
        yield


def add_to_stream(block: Any, mixed: Tensor) -> Tensor:
    """Return what mixed values (..., C) of a block's attention add to the stream, (..., C)."""
    added: Tensor = block.ls_1(block.attn.out_proj(mixed))
    return added


def read_stream(visual: Any, stream: Tensor) -> Tensor:
    """Read tokens of the stream (..., C) in the joint space, (..., d), through the final norm and the projection."""
    normed: Tensor = visual.ln_post(stream)
    return normed if visual.proj is None else normed @ visual.proj
