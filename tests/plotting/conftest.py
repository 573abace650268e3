from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def fonts_of_figures() -> None:
    """Fonts as users get them."""
