from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from mkbench.cli.plugins import load_plugin
from mkbench.cli.run_parts import load_data, load_system
from mkbench.concepts import load_bank
from mkbench.errors import MkbenchError, UsageError
from mkbench.heads.labels import read_labels

SYSTEM, DATA = "mkbench.systems.HeadDecomposition", "mkbench.datamodules.Critters"
PAYLOAD = """
import pathlib
MARK = pathlib.Path({mark!r})
MARK.write_text("imported")
class Payload:
    def __init__(self, *words, **options):
        MARK.write_text("built")
"""


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the module `payload`, which can be imported, writes as soon as it is."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "payload.py").write_text(PAYLOAD.format(mark=str(tmp_path / "mark")))
    (tmp_path / "nested.yaml").write_text("class_path: payload.Payload\n")
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mark"


def write_run(tmp_path: Path, model: Any = None, data: Any = None, **sections: Any) -> Path:
    """A run folder whose configuration names what is given beside classes of mkbench."""
    sections |= {
        "model": model or {"class_path": SYSTEM, "init_args": {"backbone": "critters-vit-s"}},
        "data": data or {"class_path": DATA, "init_args": {"images_per_class": 2}},
    }
    (tmp_path / "run").mkdir(exist_ok=True)
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(sections))
    return tmp_path / "run"


def system(**arguments: Any) -> dict[str, Any]:
    return {"class_path": "mkbench.systems.MutualKnowledge", "init_args": {"backbone": "critters-vit-s", **arguments}}


PART = {"class_path": "payload.Payload", "init_args": {"word": "x"}}
THREADS = {"class_path": "multiprocessing.pool.ThreadPool", "init_args": {"processes": 1, "initializer": "os.getpid"}}


@pytest.mark.parametrize(
    "model",
    [
        PART,
        "payload.Payload",
        "nested.yaml",
        system(scorers=[PART]),
        system(scorers=["payload.Payload"]),
        system(scorers=["nested.yaml"]),
        system(scorers="[{class_path: payload.Payload}]"),
        system(explainers=[{"class_path": "mkbench.concepts.PcaParts", "init_args": {"saliency": PART}}]),
        system(metrics=[PART]),
        system(backbone=PART),
        system(backbone="payload.Payload"),
        system(backbone="nested.yaml"),
        system(backbone="{class_path: payload.Payload}"),
        system(descriptor_template=PART),
        system(unknown=PART),
        system() | {"dict_kwargs": {"word": PART}},
        system(scorers=[THREADS]),
        # What a module of mkbench has imported can be reached through it, and is not mkbench's own.
        system(scorers=[{"class_path": "mkbench.cli.run_jobs.subprocess.Popen", "init_args": {"args": ["true"]}}]),
        system(scorers=[{"class_path": "mkbench.__main__.main"}]),
        {"class_path": "mkbench.systems.contrastive.ContrastiveTraining", "init_args": {"model": {"pool": THREADS}}},
        {"class_path": DATA},
    ],
)
def test_foreign_classes_of_a_model_are_neither_imported_nor_built(model: Any, mark: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path, model=model)
    with pytest.raises(UsageError, match=r"Expected classes of mkbench alone in .*config.yaml, found .*--trust-config"):
        load_data(run)
    assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        PART,
        "payload.Payload",
        "nested.yaml",
        {"class_path": DATA, "init_args": {"templates": [PART]}},
        {"class_path": DATA, "init_args": {"samples": THREADS}},
        {"class_path": DATA, "dict_kwargs": {"samples": PART}},
        {"class_path": SYSTEM, "init_args": {"backbone": "critters-vit-s"}},
    ],
)
def test_foreign_classes_of_data_are_neither_imported_nor_built(data: Any, mark: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path, data=data)
    with pytest.raises(UsageError, match="Expected classes of mkbench alone"):
        load_system(run)
    assert not mark.exists()


def test_sections_that_only_a_trainer_reads_are_left_alone(mark: Path, tmp_path: Path) -> None:
    trainer = {"callbacks": [PART], "logger": PART, "plugins": [PART], "profiler": PART, "strategy": PART}
    run = write_run(tmp_path, trainer=trainer, results=PART, figures=PART, payload=PART)
    assert load_data(run).class_names
    assert not mark.exists()


def test_trust_and_plugins_let_own_classes_in(mark: Path, tmp_path: Path) -> None:
    model = system(scorers=[PART])
    with pytest.raises(UsageError, match="Scorer"):  # it is imported, and is no scorer
        load_system(write_run(tmp_path, model=model), trust=True)
    assert mark.exists()
    (tmp_path / "own_data.py").write_text(
        "from mkbench.datamodules import Critters\n\n\nclass Mine(Critters):\n    pass\n", encoding="utf-8"
    )
    run = write_run(tmp_path, data={"class_path": "own_data.Mine", "init_args": {"images_per_class": 2}})
    with pytest.raises(UsageError, match=r"found 'own_data.Mine' at data\.class_path"):
        load_data(run)
    load_plugin(tmp_path / "own_data.py")
    assert type(load_data(run)).__name__ == "Mine"


@pytest.mark.parametrize(
    "words",
    [
        ("heads",),
        ("heads", "remove", "--heads", "0.1"),
        ("heads", "prune"),
        ("heads", "text-neighbors", "--text=owl", "--head=0.1"),
    ],
)
def test_commands_refuse_the_run_of_a_stranger(
    words: tuple[str, ...], command: Callable[..., Any], predict_words: list[str], mark: Path
) -> None:
    heads = [word.replace("mutual_knowledge.yaml", "heads.yaml") for word in predict_words if "refine" not in word]
    run = command(*heads).run
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["model"]["init_args"]["metrics"] = [PART]
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    count = 2 if words[1:] and not words[1].startswith("-") else 1
    outcome = command(*words[:count], run, *words[count:])
    assert outcome.code == 2
    assert "found 'payload.Payload' at model.metrics.0.class_path; add --trust-config" in outcome.error
    assert not mark.exists()


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 200_000, "[1, 2", "\x00", "model", "- model", "model: {}"])
def test_configuration_of_another_shape_is_refused(text: str, tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (run / "config.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"Expected (YAML|the configuration of a run)"):
        load_system(run)
    (run / "config.yaml").write_bytes(b"model: \xff\xfe")
    with pytest.raises(UsageError, match="Expected YAML"):
        load_system(run)


@pytest.mark.parametrize("read", [load_bank, read_labels])
def test_class_paths_in_other_files_are_mere_text(read: Callable[[Path], Any], mark: Path, tmp_path: Path) -> None:
    for number, content in enumerate([PART, [PART], {"owl": [PART]}, {"schema_version": 1, "heads": [PART]}]):
        (tmp_path / f"{number}.json").write_text(json.dumps(content))
        with suppress(MkbenchError):
            read(tmp_path / f"{number}.json")
    assert not mark.exists()
