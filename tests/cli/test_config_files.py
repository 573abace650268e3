from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_data import CONFIGS

from mkbench.cli.bench_config import read_config
from mkbench.cli.commands.mined_descriptors import read_mining
from mkbench.cli.config_files import find_config, packaged_configs, portable_text
from mkbench.cli.trainer import MkbenchCLI


@pytest.mark.parametrize("path", ["configs/critters/demo.yaml", "critters/demo.yaml", "./configs/critters/demo.yaml"])
def test_packaged_configuration_is_found_from_any_folder(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(Path(path)).resolve() == (CONFIGS / "critters" / "demo.yaml").resolve()
    assert read_config(Path(path)).protocol.is_file()


def test_own_file_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "configs" / "critters" / "demo.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("models: [a]\n")
    assert find_config(Path("configs/critters/demo.yaml")).read_text() == "models: [a]\n"


#: The last is no configuration of a command, but what some of them read.
COMPLETE = [name for name in packaged_configs() if not name.endswith("imagenet_features.yaml")]


@pytest.mark.parametrize("name", COMPLETE)
def test_copy_of_every_configuration_finds_what_it_refers_to(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "mine.yaml"
    copy.write_text(portable_text(packaged_configs()[name]))
    content = yaml.safe_load(copy.read_text())
    if "split" in content:
        assert read_mining(copy).protocol.is_file()
    elif "protocol" in content:
        config = read_config(copy)
        assert config.protocol.is_file()
        assert all(recipe.is_file() for recipe in config.train)
    else:
        MkbenchCLI(["--config=mine.yaml"], run=False)


def test_every_configuration_is_listed_with_a_sentence(command: Callable[..., Any]) -> None:
    outcome = command("configs")
    lines = outcome.output.splitlines()
    assert [line for line in lines if line.startswith("configs/")] == list(packaged_configs())
    assert lines[lines.index("configs/critters/demo.yaml") + 1] == "    What `mkbench demo` runs"


def test_copy_is_named_and_never_overwrites(command: Callable[..., Any], tmp_path: Path) -> None:
    assert command("configs", "copy", "critters/demo").output == "demo.yaml\n"
    assert "protocol: configs/critters/mutual_knowledge.yaml" in (tmp_path / "demo.yaml").read_text()
    again = command("configs", "copy", "critters/demo")
    assert (again.code, again.error.count("\n")) == (2, 1)
    assert "Expected no file at demo.yaml, found one" in again.error
    unknown = command("configs", "copy", "crittrs/demo")
    assert unknown.code == 2
    assert "did you mean configs/critters/demo.yaml" in unknown.error


def test_missing_configuration_is_said_before_anything_slow_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from mkbench.cli.main import main; code = main(['predict', '--config=none.yaml']); "
        "print(code, {'torch', 'lightning', 'jsonargparse'} & sys.modules.keys())"
    )
    environment = {**os.environ, "PYTHONPATH": str(CONFIGS.parent)}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout == "2 set()\n"
    assert told.stderr.startswith("mkbench: Expected a configuration at none.yaml, found none; check --config, or take")
    assert told.stderr.count("\n") == 1
