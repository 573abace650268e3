"""The commands that README and docs print are run: page by page, in the order of the page, in a reader's folder.

As printed, but for what stands in for a reader's model and data (``STAND_INS``) and for options that make runs small
(``SMALL``). What is not run here is listed with its reason.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mkbench.datamodules.critters_world import load_world, render

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
#: What a page names -> what a test has instead.
STAND_INS = {"vit-b-16-openai": "critters-vit-s", "vit-b-32-openai": "critters-vit-m"}
#: Options that make the runs of a command small.
_TWO = ("--data.limit_classes=2", "--data.images_per_class=1")
_QUIET = ("--figures.samples=0", "--progress.enabled=false", "--trainer.accelerator=cpu", "--data.num_workers=0")
_PREDICT = (*_TWO, *_QUIET)
_ALL_KINDS = _PREDICT[1:]
SMALL: dict[str, tuple[str, ...]] = {
    "mkbench predict --config configs/image_folder.yaml": (
        "--model.num_language_concepts=3",
        "--model.pool=4",
        *_QUIET,
    ),
    "mkbench predict --config configs/critters/background.yaml": _ALL_KINDS,  # heads are labelled on all kinds
    "mkbench predict --config configs/critters/heads.yaml": _ALL_KINDS,
    "mkbench predict": _PREDICT,
    "mkbench bench": (*_PREDICT, "--overwrite"),
    "mkbench doctor": ("--fast",),
    "mkbench heads runs": ("--num-texts=5",),
    "mkbench heads prune": ("--seeds=1", "--images-per-class=1"),
    "mkbench heads remove": ("--seeds=1",),
}
#: Page -> commands of other pages that it takes for granted.
BEFORE = {
    "README.md": [
        "mkbench predict --config configs/image_folder.yaml --model.backbone vit-b-32-openai "
        "--model.random_weights false --data.root IMAGES --data.bank descriptors.json"
    ],
    "heads.md": ["mkbench bench --config configs/critters/demo.yaml --out runs/demo"],
    "metrics.md": ["mkbench bench --config configs/critters/demo.yaml --out runs/demo"],
    "report.md": [
        "mkbench bench --config configs/critters/demo.yaml --out runs/demo",
        "mkbench bench --config configs/critters/segmentation_bench.yaml --out runs/bench",
    ],
}
_TRAINS = "trains baselines first (minutes); tests/test_configs.py and tests/cli/commands/test_bench.py run it small"
_SMALL = "minutes, and of a machine; tests/benchmarks runs it small"
_SERVES = "serves until it is stopped; tests/report/app/test_blocks.py asks it in a browser"
_IMAGENET = "needs ImageNet and published weights; tests/test_configs.py runs it on generated images"
#: Commands that are not run here, and why.
NOT_RUN = {
    "make demo": "installs; tests/cli/commands/test_demo.py runs the demo",
    "make test": "runs these tests",
    "pip install -c constraints.txt .": "installs; tests/test_packaging.py looks at what is packaged",
    "pip install 'mkbench[app]'": "installs; tests/test_packaging.py looks at its bounds",
    "mkbench app": _SERVES,
    "mkbench app runs/demo runs/heads": _SERVES,
    "mkbench app local-dir:my-model": _SERVES,
    "mkbench app local-dir:my-model --class-names names.txt --bank descriptors.json": _SERVES,
    "source .venv/bin/activate": "activates what is installed",
    "python make_model.py": "run as a file by test_the_tutorial",
    "python -m benchmarks.pipeline --model ViT-B-16 --random-weights --images 16 --threads 1 --json": _SMALL,
    "python -m benchmarks.textspan": _SMALL,
    "mkbench bench --config configs/critters/table1.yaml --out runs/table1": _TRAINS,
    "mkbench bench --config configs/critters/explainers.yaml --out runs/explainers": _TRAINS,
    "mkbench mined-descriptors --config configs/critters/mined_descriptors.yaml": (
        "twelve runs (minutes); tests/cli/commands/test_mined_descriptors.py runs it small"
    ),
    "mkbench doctor --config configs/paper/table3.yaml --data.root IMAGENET --data.bank descriptors_imagenet.json": (
        _IMAGENET
    ),
    "mkbench bench --config configs/paper/table3.yaml --out runs/table3 --data.root IMAGENET "
    "--data.bank descriptors_imagenet.json": _IMAGENET,
    "mkbench verify runs/table3 --against mutual-knowledge-table3": (
        "reads the runs of ImageNet; tests/cli/commands/test_verify.py runs it on others"
    ),
    "mkbench class-token runs/table3/vit-b-16-openai --images-per-class 5": (
        "reads a run of ImageNet; tests/cli/commands/test_class_token.py runs it on others"
    ),
    "mkbench bank --class-names names.txt --llm MODEL --base-url http://localhost:8000/v1 --prompt P4 "
    "--out bank.json": ("needs a language model; tests/cli/commands/test_bank.py runs it with a stand-in"),
    "mkbench bank analyse bank.json --encoder vit-b-16-openai": (
        "reads the bank of a language model; tests/cli/commands/test_bank_analysis.py runs it on others"
    ),
}
#: Pages whose commands a test of their own runs.
ELSEWHERE = {
    "extending.md": "tests/test_examples.py",
    "tutorial.md": "test_the_tutorial",
    "distributed.md": "DDP below",
}


def shell_lines(page: str) -> list[str]:
    """The lines of a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGES[page].read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def shortened(line: str) -> list[str]:
    """The words of a printed command with what stands in, and with the options that make it small."""
    for named, present in STAND_INS.items():
        line = line.replace(named, present)
    options = next((options for start, options in SMALL.items() if line.startswith(start)), ())
    return [*shlex.split(line), *options]


def runnable(page: str) -> list[str]:
    return [line for line in shell_lines(page) if line not in NOT_RUN]


@pytest.fixture
def reader(tmp_path: Path, command: Callable[..., Any]) -> Path:
    """A reader's folder: an image, a folder of class folders, their names and descriptors, and the examples."""
    world = load_world()
    names = world.class_names[:3]
    for name in names:
        (tmp_path / "IMAGES" / name).mkdir(parents=True)
        Image.fromarray(render(name, 0).image).save(tmp_path / "IMAGES" / name / "0.png")
    shutil.copy(tmp_path / "IMAGES" / names[0] / "0.png", tmp_path / "image.jpg")
    descriptors = {name: [f"{colour} fur" for colour in ("red", "green", "blue", "grey")] for name in names}
    (tmp_path / "names.txt").write_text("\n".join(names), encoding="utf-8")
    (tmp_path / "class_names.json").write_text(json.dumps({name: name for name in names}), encoding="utf-8")
    (tmp_path / "descriptors.json").write_text(json.dumps(descriptors), encoding="utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    return tmp_path


def test_what_is_not_run_is_printed_somewhere() -> None:
    printed = {line for page in PAGES for line in shell_lines(page)}
    assert set(NOT_RUN) <= printed
    assert set(ELSEWHERE) <= set(PAGES)
    others = {line for page in PAGES if page not in ELSEWHERE for line in runnable(page)}
    assert {line.split()[0] for line in others} == {"mkbench"}
    assert len(others) > 30


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE and runnable(page)])
def test_commands_of_a_page(page: str, reader: Path, command: Callable[..., Any]) -> None:
    for line in [*BEFORE.get(page, []), *runnable(page)]:
        program, *words = shortened(line)
        assert program == "mkbench"
        outcome = command(*words)
        assert (outcome.code, line) == (0, line), outcome.error


@pytest.mark.slow
def test_the_tutorial(reader: Path, command: Callable[..., Any]) -> None:
    """Every step of it: what it makes, what it compares, and that the last table has all three models."""
    (script,) = re.findall(r"```python\n(.*?)```", PAGES["tutorial.md"].read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(script, "make_model.py", "exec"), {})
    assert (reader / "my-model" / "open_clip_model.safetensors").is_file()
    for line in runnable("tutorial.md"):
        outcome = command(*shortened(line)[1:])
        assert (outcome.code, line) == (0, line), outcome.error
    assert (reader / "mine.html").is_file()
    table = csv.DictReader(
        (reader / "runs" / "mine" / "compare" / "table.csv").read_text(encoding="utf-8").splitlines()
    )
    assert {row["model"] for row in table} == {"my-model", "Critters ViT-M", "colours"}


@pytest.mark.slow
def test_python_of_the_quick_start(reader: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGES["quick-start.md"].read_text(encoding="utf-8"), re.DOTALL)
    (reader / "image.jpg").unlink()
    names: dict[str, Any] = {}
    exec(compile(block, "quick-start.md", "exec"), names)
    assert names["explanation"].predictions[0] in load_world().class_names
    assert (reader / "image.jpg").is_file()


@pytest.mark.slow
def test_python_of_the_metrics(reader: Path, command: Callable[..., Any]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGES["metrics.md"].read_text(encoding="utf-8"), re.DOTALL)
    assert command(*shortened(BEFORE["metrics.md"][0])[1:]).code == 0
    names: dict[str, Any] = {}
    exec(compile(block, "metrics.md", "exec"), names)
    assert set(names["images"]["explainer"].to_pylist()) == {"pca", "kmeans", "random", "whole-image"}
    assert names["metrics"].num_rows > names["images"].num_columns


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["mkbench", "torchrun"])
def test_devices(reader: Path, launcher: str) -> None:
    """Both commands, with two processes on the CPU."""
    (line,) = [line for line in runnable("distributed.md") if line.startswith(f"{launcher} ")]
    program, *words = shlex.split(line)
    module = {"mkbench": "mkbench", "torchrun": "torch.distributed.run"}[program]
    started = [sys.executable, "-m", module, *words, *_PREDICT]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        started, cwd=reader, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    (results,) = (reader / "runs").rglob("results.json")
    assert json.loads(results.read_text(encoding="utf-8"))["data"]["images"] == 2
