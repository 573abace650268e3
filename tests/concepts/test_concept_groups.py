from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mkbench.concepts import cluster_groups, label_groups, load_groups
from mkbench.errors import DataError, UsageError


def plain_clusters(rows: np.ndarray, threshold: float) -> list[set[int]]:
    """Average linkage, one join after another."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines, groups = unit @ unit.T, [{i} for i in range(len(rows))]
    while len(groups) > 1:
        pairs = [(a, b) for a in range(len(groups)) for b in range(a)]
        means = [np.mean([cosines[i, j] for i in groups[a] for j in groups[b]]) for a, b in pairs]
        if max(means) < threshold:
            break
        a, b = pairs[int(np.argmax(means))]
        groups[b] |= groups.pop(a)
    return groups


def as_sets(labels: torch.Tensor) -> list[set[int]]:
    return [set(np.flatnonzero(labels == group)) for group in range(int(labels.max()) + 1)]


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.4, 0.8, 0.95, 1.0])
def test_clusters_are_those_of_plain_average_linkage(threshold: float) -> None:
    rows = np.random.default_rng(0).normal(size=(25, 3))
    rows[20:] = 2 * rows[:5]  # equal directions
    labels = cluster_groups(torch.from_numpy(rows), threshold)
    expected = plain_clusters(rows, threshold - 1e-12)
    assert sorted(map(sorted, as_sets(labels))) == sorted(map(sorted, expected))
    assert labels.tolist() == label_groups(labels.tolist()).tolist()  # numbered by first appearance


def test_degenerate_embeddings() -> None:
    assert cluster_groups(torch.zeros(0, 3), 0.9).tolist() == []
    assert cluster_groups(torch.ones(1, 3), 0.9).tolist() == [0]
    assert cluster_groups(torch.ones(4, 3), 1.0).tolist() == [0] * 4
    with pytest.raises(ValueError, match=r"embeddings must be \(descriptors, dim\)"):
        cluster_groups(torch.ones(3), 0.9)
    with pytest.raises(ValueError, match=r"threshold must lie in -1\.\.1, found 95"):
        cluster_groups(torch.ones(2, 3), 95)
    with pytest.raises(ValueError, match="embeddings"):
        cluster_groups(torch.full((2, 3), torch.nan), 0.9)


def write(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "groups.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_file_names_groups_and_the_rest_stands_alone(tmp_path: Path) -> None:
    file = write(tmp_path, {"tail": ["c", "a"], "b": ["d"]})
    assert load_groups(file, ["a", "b", "c", "d", "e"]).tolist() == [0, 1, 0, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Expected a JSON object .* repair it"),
        ('{"x": ["a"], "x": ["b"]}', "found 'x' is a key twice; repair it"),
        ("[" * 5000, "more than 100 brackets"),
        (["a"], "found another form; convert it"),
        ({"x": "a"}, "found another form; convert it"),
        ({"x": ["a"], "y": ["a"]}, "found 'a' in 'y' and in 'x'; correct it"),
        ({"x": [1]}, "found 1 in 'x'; correct it"),
        ({"x": ["z"]}, "descriptors of the bank .* found 'z'"),
    ],
)
def test_wrong_file_is_named(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_groups(write(tmp_path, content), ["a", "b"])


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no readable file"):
        load_groups(tmp_path / "none.json", ["a"])
