from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from toy_classes import ColourBackbone
from toy_features import make_inputs, make_record

from mkbench.baselines import HEADS, MMCBM, LinearProbe, TrainedHead, load_head, save_head
from mkbench.errors import DataError, UsageError


def trained(folder: Path, **record: Any) -> TrainedHead:
    save_head(folder / "head.safetensors", MMCBM(make_inputs(), width=4), make_record() | record)
    return load_head(folder / "head.safetensors")


@pytest.mark.parametrize("name", HEADS)
def test_round_trip(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    head = HEADS[name](make_inputs()).eval()
    save_head(tmp_path / "a" / "head.safetensors", head, make_record())
    read = load_head(tmp_path / "a" / "head.safetensors")
    features, embedding = torch.randn(3, 12, 5), torch.randn(3, 6)
    read_state = read.head.state_dict()
    assert all(torch.equal(read_state[name], value) for name, value in head.state_dict().items())
    # Layers run other kernels where gradients are wanted, as of `head`, than where they are not.
    torch.testing.assert_close(read.head(features, embedding), head(features, embedding))
    assert (read.head.name, read.top1, read.record["test_images"]) == (name, 0.5, 8)
    assert not read.head.training
    assert not any(parameter.requires_grad for parameter in read.head.parameters())
    save_head(tmp_path / "b.safetensors", head, make_record())
    assert load_head(tmp_path / "b.safetensors").sha256 == read.sha256


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Expected a trained head at .*none.safetensors, found no file"):
        load_head(tmp_path / "none.safetensors")


def other_version(file: Path) -> None:
    save_head(file, LinearProbe(make_inputs()), make_record() | {"schema_version": 0})


def unknown_head(file: Path) -> None:
    save_head(file, LinearProbe(make_inputs()), make_record() | {"head": "mystery"})


def other_tensors(file: Path) -> None:
    save_head(file, LinearProbe(make_inputs()), make_record() | {"head": "lf-cbm"})


def cut(file: Path) -> None:
    save_head(file, LinearProbe(make_inputs()), make_record())
    file.write_bytes(file.read_bytes()[:-8])


def no_head(file: Path) -> None:
    save_file({"weights": torch.zeros(2)}, file)


@pytest.mark.parametrize("damage", [other_version, unknown_head, other_tensors, cut, no_head])
def test_damaged_or_foreign_files(damage: Any, tmp_path: Path) -> None:
    file = tmp_path / "head.safetensors"
    damage(file)
    with pytest.raises(DataError, match="found a damaged or another file"):
        load_head(file)


def test_another_backbone_is_refused(tmp_path: Path) -> None:
    backbone = ColourBackbone()
    fitting = make_record(backbone.fingerprint)["backbone"]
    trained(tmp_path, backbone=fitting).require_backbone(backbone)
    with pytest.raises(UsageError, match=r"Expected colours in the precision .* found colours of other weights"):
        trained(tmp_path).require_backbone(backbone)


def test_other_concepts_are_refused(tmp_path: Path) -> None:
    head, concepts = trained(tmp_path), make_inputs().concepts
    head.require_concepts(concepts + 1e-5)
    for other in (concepts[:8], concepts.flip(0), concepts[:, :5]):
        with pytest.raises(UsageError, match=r"Expected the 9 descriptors of bank.json as 'a photo showing {}'"):
            head.require_concepts(other)


def test_number_of_concepts_is_checked_where_a_head_keeps_none(tmp_path: Path) -> None:
    save_head(tmp_path / "probe.safetensors", LinearProbe(make_inputs()), make_record())
    head = load_head(tmp_path / "probe.safetensors")
    head.require_concepts(make_inputs().concepts)
    with pytest.raises(UsageError, match=r"found others \(8\)"):
        head.require_concepts(make_inputs().concepts[:8])


def test_another_run_is_refused(tmp_path: Path) -> None:
    head = trained(tmp_path)
    described: dict[str, Any] = {"bank": {"sha256": "b" * 64}, "class_names_sha256": "c" * 64}
    head.require_run(described, features="tokens")
    with pytest.raises(UsageError, match=r"Expected the concept bank that .* \(b{12}\), found another \(x{12}\)"):
        head.require_run(described | {"bank": {"sha256": "x" * 64}}, features="tokens")
    with pytest.raises(UsageError, match="Expected the class list"):
        head.require_run(described | {"class_names_sha256": "x" * 64}, features="tokens")
    with pytest.raises(UsageError, match=r"Expected the kind of features that .* \(tokens\), found another \(keys\)"):
        head.require_run(described, features="keys")


def test_record_is_plain_json(tmp_path: Path) -> None:
    content = json.loads(json.dumps(dict(trained(tmp_path).record)))
    assert (content["head"], content["options"]) == ("mm-cbm", {"width": 4})
    assert content["shape"] == make_inputs().shape
