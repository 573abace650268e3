"""What torch cannot do when `ATEN_CPU_CAPABILITY` asks for other kernels than the processor has."""

import os

import pytest

#: Its attention in bfloat16 packs for AVX-512 wherever the processor has it, then finds the kernels of the variable.
BFLOAT16_ATTENTION = pytest.mark.skipif(
    os.environ.get("ATEN_CPU_CAPABILITY", "avx512") != "avx512",
    reason="torch has no attention in bfloat16 for kernels that are not those of the processor",
)
