from __future__ import annotations

import pytest

from mkbench.systems import MutualKnowledge


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the groups that are computed."""
    keys: list[str] = []
    original = MutualKnowledge.explain_group
    monkeypatch.setattr(
        MutualKnowledge, "explain_group", lambda self, group: (keys.append(group.key), original(self, group))[1]
    )
    return keys
