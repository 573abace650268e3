from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pyarrow.parquet as pq
import pytest
import yaml

from mkbench.callbacks import ResultWriter, result_writer
from mkbench.cli.main import main
from mkbench.datamodules import Critters
from mkbench.errors import DataError, UsageError
from mkbench.runs.group_files import read_group, read_groups
from mkbench.systems import MutualKnowledge, group_reuse
from mkbench.systems.provenance import build_results, folder_name
from mkbench.systems.records.summary import summarise

KEYS = ["00000-000", "00001-000", "00002-000"]


@pytest.fixture(scope="module")
def complete_run(tmp_path_factory: pytest.TempPathFactory, predict_words: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("complete")
    assert main([*predict_words, f"--results.root={folder}"]) == 0
    return folder / "tiny"


@pytest.fixture
def run(complete_run: Path, tmp_path: Path) -> Path:
    """A finished run that a test may spoil."""
    return Path(shutil.copytree(complete_run, tmp_path / "runs" / "tiny"))


def file_names(run: Path) -> list[str]:
    return sorted(
        str(path.relative_to(run)) for path in run.rglob("*") if path.is_file() and path.parent.name != "figures"
    )


def test_run_folder_is_complete_and_nothing_else(command: Callable[..., Any], predict_words: list[str]) -> None:
    outcome = command(*predict_words)
    assert (outcome.code, outcome.error) == (0, "")
    groups = [f"groups/{key}.parquet" for key in KEYS]
    files = [
        "config.yaml",
        "descriptors.json",
        "environment.json",
        "groups.log",
        *groups,
        "manifest.json",
        "report.html",
        "results.json",
    ]
    assert file_names(outcome.run) == files


def test_results_follow_from_the_groups(complete_run: Path) -> None:
    results = json.loads((complete_run / "results.json").read_text())
    summary = json.loads(json.dumps(summarise(read_groups(complete_run, KEYS[::-1]))))
    assert results["metrics"] == summary["metrics"]
    assert results["curves"] == summary["curves"]
    assert results["data"]["images"] == 6
    assert results["fallbacks"] == {**summary["fallbacks"], "text": {"truncated": 0}}


def test_two_runs_are_the_same_to_the_byte(
    command: Callable[..., Any], predict_words: list[str], complete_run: Path
) -> None:
    again = command(*predict_words, "--data.num_workers=2").run
    for name in ("results.json", "manifest.json", *(f"groups/{key}.parquet" for key in KEYS)):
        assert (again / name).read_bytes() == (complete_run / name).read_bytes(), name


def test_only_what_is_missing_is_computed(
    command: Callable[..., Any], predict_words: list[str], run: Path, explained: list[str]
) -> None:
    before = (run / "results.json").read_bytes()
    (run / "results.json").unlink()
    (run / "groups" / f"{KEYS[1]}.parquet").unlink()
    explained.clear()
    assert command(*predict_words).code == 0
    assert explained == [KEYS[1]]
    assert (run / "results.json").read_bytes() == before
    assert json.loads((run / "environment.json").read_text())["images_computed"] == 2


def test_finished_run_is_left_alone(
    command: Callable[..., Any], predict_words: list[str], run: Path, explained: list[str]
) -> None:
    names = ("results.json", "environment.json", "manifest.json", "config.yaml")
    before = [(run / name).read_bytes() for name in names]
    explained.clear()
    outcome = command(*predict_words)
    assert (outcome.code, outcome.error, explained) == (0, "", [])
    assert [(run / name).read_bytes() for name in names] == before


def test_lost_results_are_rebuilt_without_computing(
    command: Callable[..., Any], predict_words: list[str], explained: list[str]
) -> None:
    # 16 tokens are the context of the tiny model, so that every descriptor in this prompt is truncated.
    words = [*predict_words, "--model.descriptor_template=a photo showing {} " + "and a tail " * 6]
    run = command(*words).run
    before = (run / "results.json").read_bytes()
    assert json.loads(before)["fallbacks"]["text"]["truncated"] == 247
    (run / "results.json").unlink()
    explained.clear()
    assert command(*words).code == 0
    assert explained == []
    assert (run / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("option", "difference"),
    [
        ("--model.num_language_concepts=11", r"settings.num_language_concepts (12, now 11)"),
        ("--model.seed=1", "settings.seed (0, now 1)"),
        ("--data.limit_classes=2", "data.classes (3, now 2)"),
        ("--data.images_per_class=3", "groups"),
        ("--data.seed=5", "data.seed (0, now 5)"),
        ("--data.templates=default", "data.templates"),
    ],
)
def test_other_settings_and_data_are_not_mixed(
    command: Callable[..., Any], predict_words: list[str], run: Path, explained: list[str], option: str, difference: str
) -> None:
    before = (run / "results.json").read_bytes(), (run / "manifest.json").read_bytes()
    outcome = command(*predict_words, option)
    assert outcome.code == 2
    assert outcome.error.startswith("mkbench: Expected runs/tiny to be empty or to hold the same run")
    assert difference in outcome.error
    assert "--results.overwrite true" in outcome.error
    assert explained == []
    assert ((run / "results.json").read_bytes(), (run / "manifest.json").read_bytes()) == before


def test_other_weights_are_not_mixed(
    command: Callable[..., Any], predict_words: list[str], run: Path, other_weights: Path
) -> None:
    outcome = command(*predict_words, f"--model.backbone=local-dir:{other_weights}")
    assert outcome.code == 2
    assert "differs in model.fingerprint" in outcome.error


def test_groups_without_a_manifest_are_not_mixed(
    command: Callable[..., Any], predict_words: list[str], run: Path
) -> None:
    (run / "manifest.json").unlink()
    outcome = command(*predict_words)
    assert outcome.code == 2
    assert "differs in" in outcome.error


def test_overwriting_computes_everything_again(
    command: Callable[..., Any], predict_words: list[str], explained: list[str], run: Path
) -> None:
    (run / "figures" / "sample-00002-pca.png").write_bytes(b"of the earlier run")
    (run / "notes.txt").write_text("the user's own")
    outcome = command(*predict_words, "--data.limit_classes=2", "--results.overwrite=true")
    assert (outcome.code, explained) == (0, KEYS[:2])
    assert outcome.results()["data"]["classes"] == 2
    assert sorted(path.stem for path in (run / "groups").iterdir()) == KEYS[:2]
    assert not (run / "figures" / "sample-00002-pca.png").exists()
    assert (run / "notes.txt").read_text() == "the user's own"


def test_mistake_costs_no_earlier_run(command: Callable[..., Any], predict_words: list[str], run: Path) -> None:
    before = file_names(run)
    outcome = command(*predict_words, "--results.overwrite=true", "--trainer.precision=bf16-mixed")
    assert outcome.code == 2
    assert file_names(run) == before


@pytest.mark.parametrize("mistake", ["--trainer.precision=bf16-mixed", "--model.num_language_concepts=300"])
def test_mistake_leaves_nothing_behind(command: Callable[..., Any], predict_words: list[str], mistake: str) -> None:
    outcome = command(*predict_words, mistake)
    assert outcome.code == 2
    assert not outcome.run.exists()


def test_interrupted_run_goes_on(
    command: Callable[..., Any],
    predict_words: list[str],
    explained: list[str],
    monkeypatch: pytest.MonkeyPatch,
    complete_run: Path,
) -> None:
    spied = MutualKnowledge.explain_group

    def fail_at_last(self: MutualKnowledge, group: Any) -> Any:
        if group.key == KEYS[2]:
            raise OSError("the power went")
        return spied(self, group)

    with monkeypatch.context() as patch:
        patch.setattr(MutualKnowledge, "explain_group", fail_at_last)
        outcome = command(*predict_words)
    assert (outcome.code, outcome.error) == (1, "mkbench: the power went.\n")
    assert not (outcome.run / "results.json").exists()
    explained.clear()
    assert command(*predict_words).code == 0
    assert explained == [KEYS[2]]
    assert (outcome.run / "results.json").read_bytes() == (complete_run / "results.json").read_bytes()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda groups: groups[0].write_bytes(b""), "found a damaged one", id="empty"),
        pytest.param(lambda groups: groups[0].write_bytes(groups[0].read_bytes()[:-100]), "a damaged one", id="torn"),
        pytest.param(lambda groups: shutil.copy(groups[1], groups[0]), "not that which groups.log", id="foreign"),
    ],
)
def test_spoilt_group_is_computed_again_and_said_so(
    command: Callable[..., Any],
    predict_words: list[str],
    run: Path,
    explained: list[str],
    spoil: Callable[[list[Path]], object],
    reason: str,
) -> None:
    before = (run / "results.json").read_bytes()
    (run / "results.json").unlink()
    spoil([run / "groups" / f"{key}.parquet" for key in KEYS])
    explained.clear()
    with pytest.warns(UserWarning, match=f"The group {KEYS[0]} is computed again: .*{reason}"):
        assert command(*predict_words).code == 0
    assert explained == [KEYS[0]]
    assert (run / "results.json").read_bytes() == before


def test_log_has_a_line_for_each_group(complete_run: Path) -> None:
    lines = (complete_run / "groups.log").read_text().splitlines()
    assert [line.split("  ")[1:3] for line in lines] == [[key, "2 images"] for key in KEYS]
    assert all(line.split("  ")[3].startswith("blake2b:") for line in lines)


def test_full_disk_stops_and_the_run_goes_on_later(
    command: Callable[..., Any],
    predict_words: list[str],
    complete_run: Path,
    explained: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fill_up(table: Any, target: Path, **options: Any) -> None:
        target.write_bytes(b"PAR1 half a fi")
        if target.name.startswith(f".{KEYS[1]}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        original(table, target, **options)

    original = pq.write_table
    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", fill_up)
        outcome = command(*predict_words)
    assert outcome.code == 1
    assert "No space left on device" in outcome.error
    assert "run the same command again" in outcome.error
    assert [path.name for path in (outcome.run / "groups").iterdir()] == [f"{KEYS[0]}.parquet"]
    explained.clear()
    assert command(*predict_words).code == 0
    assert explained == KEYS[1:]
    assert (outcome.run / "results.json").read_bytes() == (complete_run / "results.json").read_bytes()


def test_what_a_killed_process_left_behind_is_cleared_away(
    command: Callable[..., Any], predict_words: list[str], run: Path
) -> None:
    (run / "results.json").unlink()
    (run / "groups" / f"{KEYS[0]}.parquet").rename(run / "groups" / f".{KEYS[0]}.parquet.123")
    (run / ".results.json.123").write_text("{")
    (run / "notes.txt").write_text("the user's")
    assert command(*predict_words).code == 0
    assert [name for name in file_names(run) if "123" in name] == []
    assert (run / "notes.txt").exists()


def test_unreadable_images_are_counted_and_left_out(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path]
) -> None:
    root = photo_tree()
    (root / "ant" / "0.png").write_bytes((root / "ant" / "0.png").read_bytes()[:60])
    for path in (root / "bee").iterdir():
        path.write_bytes(b"no image")
    outcome = command(*folder_words)
    assert outcome.code == 0
    results = outcome.results()
    assert results["data"]["images"] == 3
    assert len(results["data"]["unreadable"]) == 3
    assert {metric["n"] for metric in results["metrics"]} == {3}
    assert read_group(outcome.run / "groups" / "00001-000.parquet").rows.num_rows == 0


def test_class_in_several_groups(command: Callable[..., Any], predict_words: list[str]) -> None:
    outcome = command(*predict_words, "--data.group_size=1", "--data.limit_classes=2")
    assert sorted(path.stem for path in (outcome.run / "groups").iterdir()) == [
        "00000-000",
        "00000-001",
        "00001-000",
        "00001-001",
    ]
    assert outcome.results()["data"]["images"] == 4


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*LeafSpec")
def test_metrics_of_the_system_are_those_of_the_results(tmp_path: Path, tiny_model: Path) -> None:
    system = MutualKnowledge(f"local-dir:{tiny_model}", num_language_concepts=40, pool=62, refine="none")
    writer = ResultWriter(tmp_path)
    trainer = L.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, callbacks=[writer]
    )
    data = Critters(images_per_class=3, limit_classes=3, num_workers=0)
    trainer.predict(system, datamodule=data, return_predictions=False)
    results = json.loads((tmp_path / "tiny" / "results.json").read_text())
    values = {
        metric["name"] + (f"/{metric['explainer']}" if metric["explainer"] else ""): metric["value"]
        for metric in results["metrics"]
    }
    assert system.computed == pytest.approx(values, rel=1e-13)
    assert values["mutual_information/pca"] > 0  # else nothing was compared
    # The results can be built again from the folder alone, wherever it lies.
    shutil.copytree(tmp_path / "tiny" / "groups", tmp_path / "moved" / "groups")
    assert json.loads(json.dumps(build_results(tmp_path / "moved", system, data))) == results


@pytest.mark.parametrize(("rank", "share"), [(0, [KEYS[0], KEYS[2]]), (1, [KEYS[1]])])
def test_each_of_two_devices_reads_its_share_of_the_finished_groups(
    run: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, rank: int, share: list[str]
) -> None:
    read: list[str] = []
    manifest = json.loads((run / "manifest.json").read_text())
    monkeypatch.setattr(result_writer, "describe_run", lambda system, data: manifest)
    monkeypatch.setattr(group_reuse, "read_group", lambda path: read.append(path.stem) or read_group(path))
    data = Critters(images_per_class=2, limit_classes=3, num_workers=0)

    def broadcast(told: Any, source: int = 0) -> Any:
        """Return what a device tells; the other one finds its whole share in order."""
        return told if source == rank or not isinstance(told, dict) else rest

    rest = dict.fromkeys(sorted(set(KEYS) - set(share)))
    trainer = trainer_of(2, data)
    trainer.is_global_zero, trainer.global_rank, trainer.strategy = (
        rank == 0,
        rank,
        SimpleNamespace(broadcast=broadcast),
    )
    writer = ResultWriter(run.parent)
    writer.setup(trainer, MutualKnowledge(f"local-dir:{tiny_model}"), "predict")
    assert sorted(read) == share
    assert data.finished == set(KEYS)
    assert writer.already_finished


def test_fault_that_another_device_found_is_raised_by_all(
    run: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    monkeypatch.setattr(result_writer, "describe_run", lambda system, data: manifest)
    data = Critters(images_per_class=2, limit_classes=3, num_workers=0)
    there = {KEYS[1]: DataError("Expected an image, found none; look.")}
    trainer = trainer_of(2, data)
    trainer.global_rank = 0
    trainer.strategy = SimpleNamespace(
        broadcast=lambda told, source=0: pickle.loads(pickle.dumps(there if source else told))
    )
    with pytest.raises(DataError, match="Expected an image, found none; look"):
        ResultWriter(run.parent).setup(trainer, MutualKnowledge(f"local-dir:{tiny_model}"), "predict")


def test_fault_of_the_own_share_is_told_before_it_is_raised(
    run: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def fail(*_: Any) -> str:
        raise OSError("no such disk")

    manifest = json.loads((run / "manifest.json").read_text())
    monkeypatch.setattr(result_writer, "describe_run", lambda system, data: manifest)
    monkeypatch.setattr(result_writer, "why_computed_again", fail)
    data = Critters(images_per_class=2, limit_classes=3, num_workers=0)
    trainer = trainer_of(1, data)
    trainer.global_rank = 0
    trainer.strategy = SimpleNamespace(broadcast=lambda value, source=0: told.append(value) or value)
    with pytest.raises(OSError, match="no such disk"):
        ResultWriter(run.parent).setup(trainer, MutualKnowledge(f"local-dir:{tiny_model}"), "predict")
    assert isinstance(told[-1][KEYS[0]], OSError)


def trainer_of(devices: int, data: Any) -> Any:
    return SimpleNamespace(world_size=devices, datamodule=data, is_global_zero=True)


def test_other_systems_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"Expected a BenchmarkSystem such as MutualKnowledge to write .*, found LightningModule"
    ):
        ResultWriter(tmp_path).setup(trainer_of(1, None), L.LightningModule(), "predict")


def test_training_is_not_its_business(tmp_path: Path) -> None:
    ResultWriter(tmp_path).setup(trainer_of(1, None), L.LightningModule(), "fit")
    assert list(tmp_path.iterdir()) == []


def test_folder_is_known_from_setup_on(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="setup was not called"):
        _ = ResultWriter(tmp_path).folder


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("a/../b", "a_.._b"),
        ("..", "model"),
        ("hf-hub:timm/x", "hf-hub_timm_x"),
        ("a b", "a_b"),
        ("ViT-B-16", "ViT-B-16"),
    ],
)
def test_model_names_become_single_folders(name: str, folder: str) -> None:
    assert folder_name(name) == folder


@pytest.mark.parametrize(("limit", "groups"), [("1", 1), ("2", 2), ("0.4", 1)])
def test_partial_run_says_so_and_a_full_one_goes_on(
    command: Callable[..., Any], predict_words: list[str], complete_run: Path, limit: str, groups: int
) -> None:
    outcome = command(*predict_words, f"--trainer.limit_predict_batches={limit}")
    assert (outcome.code, outcome.error) == (0, "")
    assert outcome.results()["data"]["partial"] == {"groups": groups, "of": 3}
    assert outcome.results()["data"]["images"] == 2 * groups
    assert f"tiny: a partial run, {groups} of 3 class groups" in " ".join(outcome.output.split())
    whole = command(*predict_words)
    assert (whole.code, whole.error) == (0, "")
    assert "partial" not in whole.results()["data"]
    assert (whole.run / "results.json").read_bytes() == (complete_run / "results.json").read_bytes()


def test_damage_is_still_found_in_a_whole_run(command: Callable[..., Any], predict_words: list[str], run: Path) -> None:
    (run / "results.json").unlink()
    (run / "groups" / f"{KEYS[1]}.parquet").write_bytes(b"no group")
    with pytest.warns(UserWarning, match="The group 00001-000 is computed again"):
        outcome = command(*predict_words)
    assert "partial" not in outcome.results()["data"]


def test_smoke_test_leaves_no_folder(command: Callable[..., Any], predict_words: list[str], tmp_path: Path) -> None:
    outcome = command(*predict_words, "--trainer.fast_dev_run=true")
    assert (outcome.code, outcome.error) == (0, "")
    assert outcome.output == "smoke test: the first class group went through; nothing was kept.\n"
    assert not (tmp_path / "runs").exists()


def test_descriptors_of_the_rows_are_kept_in_the_run(complete_run: Path) -> None:
    texts = json.loads((complete_run / "descriptors.json").read_text())
    rows = read_group(complete_run / "groups" / f"{KEYS[0]}.parquet").rows
    assert texts == list(Critters().bank.descriptors)
    assert all(0 <= number < len(texts) for ids in rows["descriptor_ids"].to_pylist() for number in ids)


def test_named_model_has_its_folder_and_label(command: Callable[..., Any], predict_words: list[str]) -> None:
    outcome = command(*predict_words, "--results.name=epoch 3")
    run = outcome.run.parent / "epoch_3"
    assert json.loads((run / "results.json").read_text())["model"]["label"] == "epoch 3"
    assert json.loads((run / "manifest.json").read_text())["model"]["label"] == "epoch 3"
    assert "epoch 3" in outcome.output


def test_predict_ends_with_table_folder_and_next_command(command: Callable[..., Any], predict_words: list[str]) -> None:
    first, second = command(*predict_words).output, command(*predict_words).output
    assert "excess" in first
    assert first.endswith(
        "finished: runs/tiny\nreport: runs/tiny/report.html\nnext: mkbench compare runs/tiny OTHER_RUN\n"
    )
    assert second == first.replace("\nfinished: ", "\nalready finished, nothing was computed again: ")


def test_saved_paths_hold_from_any_folder(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    photo_tree()
    run = command(*folder_words).run
    saved = yaml.safe_load((run / "config.yaml").read_text())
    assert saved["data"]["init_args"]["root"] == str(tmp_path / "photos")
    assert saved["results"]["root"] == str(tmp_path / "runs")
