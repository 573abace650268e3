from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import DataError, MkbenchError, UsageError
from mkbench.heads import HeadContributions
from mkbench.heads.store import ContributionStore, StoredGroup, open_store
from mkbench.heads.stored_contributions import contributions_path, read_shape, write_contributions
from mkbench.runs.group_files import write_group
from mkbench.runs.run_folder import write_json
from mkbench.systems.records.rankings import ranking_record

LAYERS, IDS = (2, 3), {"00000-000": ("a", "b"), "00001-000": (), "00004-000": ("c", "d", "e")}


def random_terms(images: int, seed: int = 0) -> HeadContributions:
    """Two layers of three heads, in a joint space of four dimensions, of a tower of five layers."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(images, *shape, generator=generator)

    return HeadContributions(draw(2, 3, 4), draw(5, 4), draw(4), draw(4), draw(4), draw(4), draw(2, 3, 0), LAYERS)


@pytest.fixture
def terms() -> dict[str, HeadContributions]:
    return {key: random_terms(len(ids), seed) for seed, (key, ids) in enumerate(IDS.items()) if ids}


@pytest.fixture
def run(tmp_path: Path, terms: dict[str, HeadContributions]) -> Path:
    """A finished run with a group of two images, one without any, and one of three."""
    for key, ids in IDS.items():
        group = ClassGroup(torch.zeros(len(ids), 3, 8, 8, dtype=torch.uint8), int(key[:5]), 0, ids)
        if ids:
            write_contributions(tmp_path, key, terms[key], ids, fingerprint="f")
        ranking = torch.zeros(len(ids), 5, dtype=torch.int64) if ids else None
        write_group(tmp_path, ranking_record(group, ranking, list("vwxyz")))
    settings = {"layers": list(LAYERS)}
    groups = {key: list(ids) for key, ids in IDS.items()}
    manifest = {"system": "head_decomposition", "model": {"fingerprint": "f"}, "settings": settings, "groups": groups}
    write_json(tmp_path / "manifest.json", manifest)
    return tmp_path


def test_groups_are_read_in_the_order_of_the_classes(run: Path, terms: dict[str, HeadContributions]) -> None:
    store = open_store(run)
    assert (store.layers, store.num_heads, store.width, store.num_images) == (LAYERS, 3, 4, 5)
    assert store.sample_ids == ("a", "b", "c", "d", "e")
    assert store.class_index.tolist() == [0, 0, 4, 4, 4]
    for read, written in zip(store, terms.values(), strict=True):
        for name in ("heads", "mlp", "initial", "rest", "constant", "embedding"):
            assert torch.equal(getattr(read, name), getattr(written, name)), name
        assert (read.layers, read.attention.shape[-1]) == (LAYERS, 0)


def test_a_layer_is_that_of_all_images(run: Path, terms: dict[str, HeadContributions]) -> None:
    store, joined = open_store(run), HeadContributions.concatenate(list(terms.values()))
    for place, layer in enumerate(LAYERS):
        assert torch.equal(store.layer(layer), joined.per_head()[3 * place : 3 * place + 3])
    assert torch.equal(store.layer(3, [2, 0]), joined.per_head()[[5, 3]])


def test_mean_is_over_images_not_over_groups(run: Path, terms: dict[str, HeadContributions]) -> None:
    mean, expected = open_store(run).mean(), HeadContributions.concatenate(list(terms.values())).mean()
    for name in ("heads", "mlp", "initial", "rest", "constant", "embedding"):
        torch.testing.assert_close(getattr(mean, name), getattr(expected, name))


@pytest.mark.parametrize(("layer", "heads"), [(1, None), (2, [3]), (3, [-1])])
def test_layer_or_head_that_is_not_there_is_refused(run: Path, layer: int, heads: list[int] | None) -> None:
    with pytest.raises(ValueError, match=r"one of the layers \[2, 3\] and heads of 0 to 2, got"):
        open_store(run).layer(layer, heads)


def test_tokens_are_summed_and_half_precision_is_read_as_single(
    tmp_path: Path, terms: dict[str, HeadContributions]
) -> None:
    whole = terms["00000-000"]
    by_token = replace(whole, heads=torch.stack([whole.heads, whole.heads], dim=2))
    path = write_contributions(tmp_path, "k", by_token, ["a", "b"], fingerprint="f", dtype=torch.float16)
    assert load_file(path)["heads"].dtype == torch.float16
    assert read_shape(tmp_path, "k", ["a", "b"], fingerprint="f", layers=LAYERS) == (2, 2, 3, 4)
    store = ContributionStore(tmp_path, LAYERS, 3, 4, (StoredGroup(path, ("a", "b"), None),))
    assert store.layer(2).dtype == torch.float32
    assert store.class_index.tolist() == [-1, -1]
    torch.testing.assert_close(load_file(path)["heads"].float(), 2 * whole.heads, rtol=1e-3, atol=1e-4)


def test_numbers_too_large_for_the_precision_are_refused(tmp_path: Path) -> None:
    terms = random_terms(1)
    with pytest.raises(MkbenchError, match=r"that torch.float16 can hold, .* --model.stored_as fp32"):
        write_contributions(
            tmp_path, "k", terms.map(lambda values: 1e6 * values), ["a"], fingerprint="f", dtype=torch.float16
        )
    assert not contributions_path(tmp_path, "k").exists()


def test_full_disk_is_an_error_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left"):
        write_contributions(tmp_path, "k", random_terms(1), ["a"], fingerprint="f")
    assert not list(tmp_path.rglob("*.safetensors*"))


def test_sample_ids_must_be_those_of_the_images(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a sample id for each of 2 images, got 1"):
        write_contributions(tmp_path, "k", random_terms(2), ["a"], fingerprint="f")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"fingerprint": "other"}, "other fingerprint"),
        ({"layers": (1, 2)}, "other layers"),
        ({"sample_ids": ("a", "c")}, "other sample_ids"),
    ],
)
def test_contributions_of_another_run_are_refused(run: Path, change: dict[str, object], found: str) -> None:
    written = {"sample_ids": ("a", "b"), "fingerprint": "f", "layers": LAYERS, **change}
    terms = replace(random_terms(2), layers=written["layers"])  # type: ignore[arg-type]
    write_contributions(run, "00000-000", terms, written["sample_ids"], fingerprint=written["fingerprint"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=rf"00000-000.safetensors, found those of another run \({found}\)"):
        open_store(run)


@pytest.mark.parametrize("how", ["gone", "cut short", "without description", "no tensors"])
def test_damaged_contributions_are_refused(run: Path, how: str) -> None:
    path = contributions_path(run, "00004-000")
    if how == "gone":
        path.unlink()
    elif how == "cut short":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "without description":
        save_file(load_file(path), path)
    else:
        path.write_text("no tensors")
    with pytest.raises(DataError, match=r"found none that can be read .*; run `mkbench predict` again"):
        open_store(run)


def test_contributions_that_vanish_are_missed_when_they_are_read(run: Path) -> None:
    store = open_store(run)
    contributions_path(run, "00004-000").unlink()
    with pytest.raises(DataError, match=r"00004-000.safetensors, found none"):
        store.layer(2)
    with pytest.raises(DataError, match=r"00004-000.safetensors, found none"):
        list(store)


def test_unfinished_run_is_refused(run: Path) -> None:
    (run / "groups" / "00001-000.parquet").unlink()
    with pytest.raises(UsageError, match="lacks 1 of 3 class groups; run the same `mkbench predict` again"):
        open_store(run)


def test_other_runs_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"run of mkbench.systems.HeadDecomposition, found none"):
        open_store(tmp_path / "nothing")
    manifest = json.loads((run / "manifest.json").read_text())
    write_json(run / "manifest.json", manifest | {"system": "mutual_knowledge"})
    with pytest.raises(UsageError, match=r"run of mkbench.systems.HeadDecomposition, found none"):
        open_store(run)


def test_run_without_any_image_is_refused(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    write_json(run / "manifest.json", manifest | {"groups": {"00001-000": []}})
    with pytest.raises(DataError, match=r"contributions of one shape in .*, found 0"):
        open_store(run)


def test_unit_terms_are_those_of_embeddings_of_length_1(run: Path, terms: dict[str, HeadContributions]) -> None:
    store, raw = open_store(run, normalise=True), open_store(run)
    lengths = torch.cat([one.embedding for one in terms.values()]).norm(dim=1)
    assert torch.allclose(store.layer(3) * lengths[None, :, None], raw.layer(3), atol=1e-6)
    for unit, own in zip(store, raw, strict=True):
        assert torch.allclose(unit.embedding.norm(dim=1), torch.ones(len(unit.embedding)), atol=1e-6)
        assert torch.allclose(unit.total() * own.embedding.norm(dim=1, keepdim=True), own.total(), atol=1e-5)
    assert torch.allclose(
        store.mean().mlp, torch.cat([unit.mlp for unit in store]).mean(dim=0, keepdim=True), atol=1e-6
    )


def test_one_image_of_a_large_scale_outweighs_others_only_without_unit_terms(run: Path) -> None:
    """The first text of a head is that of its largest variance: terms times 100 would choose it alone."""
    path = contributions_path(run, "00000-000")
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    before = open_store(run, normalise=True).layer(2)
    scale = torch.tensor([100.0, 1.0])
    scaled = {name: value * scale.view(-1, *[1] * (value.ndim - 1)) for name, value in tensors.items()}
    save_file(scaled, path, metadata=metadata)
    assert torch.allclose(open_store(run, normalise=True).layer(2), before, atol=1e-5)
    assert not torch.allclose(open_store(run).layer(2)[:, 0], before[:, 0], atol=1)
