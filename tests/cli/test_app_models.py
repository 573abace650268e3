from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from report_runs import write_object, write_run
from safetensors.torch import load_file, save_file

from mkbench.cli.app_models import find_openers
from mkbench.errors import UsageError


def test_runs_of_heads_come_first(tmp_path: Path) -> None:
    """The page opens on a model that every view can ask."""
    folders = [write_run(tmp_path / name, name) for name in ("a", "b")]
    path = folders[1] / "results.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    write_object(path, found | {"system": "head_decomposition", "class_names": []})
    assert list(find_openers([str(one) for one in folders], out=tmp_path)) == ["b", "a"]


def test_two_models_of_one_name_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    folders = [shutil.copytree(tiny_model, tmp_path / name / "mine") for name in ("a", "b")]
    models = [f"local-dir:{one}" for one in folders]
    assert list(find_openers([models[0], models[0]], out=tmp_path)) == ["mine"]
    with pytest.raises(UsageError, match="found two called 'mine'"):
        find_openers(models, out=tmp_path)


@pytest.mark.slow
def test_another_model_of_the_name_of_an_earlier_one_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    earlier, later = (Path(shutil.copytree(tiny_model, tmp_path / name / "mine")) for name in ("a", "b"))
    for opener in find_openers([f"local-dir:{earlier}"], out=tmp_path / "runs").values():
        assert opener(lambda said: None).about.startswith("mine, ")
    weights = later / "open_clip_model.safetensors"
    changed = {name: tensor * 1.01 for name, tensor in load_file(weights).items()}
    save_file(changed, weights)
    (opener,) = find_openers([f"local-dir:{later}"], out=tmp_path / "runs").values()
    with pytest.raises(UsageError, match=r"Expected runs of this very model in .*; give another --out, or delete"):
        opener(lambda said: None)
