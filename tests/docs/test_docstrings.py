from __future__ import annotations

import pytest

pytest.importorskip("griffe", reason="reads docstrings for the site: pip install 'mkbench[docs]'")

from docs.site.docstrings import rewrite


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Half of :func:`~mkbench.whole`.", "Half of `mkbench.whole`."),
        ("Half.\n\nExample:\n    >>> half(2)\n    1", "Half.\n\nExamples:\n    >>> half(2)\n    1"),
        ("Half.\n\n>>> half(2)\n1", "Half.\n\nExamples:\n    >>> half(2)\n    1"),
        ("Half.\n\nArgs:\n    x: a number >>> 0.", "Half.\n\nArgs:\n    x: a number >>> 0."),
    ],
)
def test_rewrite(said: str, shown: str) -> None:
    assert rewrite(said) == shown
