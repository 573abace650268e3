"""System and data of a finished run, built again from its ``config.yaml``."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from mkbench.cli.bench_config import read_yaml
from mkbench.errors import UsageError

if TYPE_CHECKING:
    from mkbench.datamodules.base import ClassGroupDataModule
    from mkbench.systems import HeadDecomposition


def load_system(run: Path) -> "HeadDecomposition":
    """Build the system of a finished run again, as its ``config.yaml`` says.

    Raises:
        UsageError: the run has no configuration, or one of another system.
        BackboneError: its model cannot be loaded any more.
    """
    from mkbench.systems import HeadDecomposition  # noqa: PLC0415

    system = _build(run, "model")
    if not isinstance(system, HeadDecomposition):
        raise UsageError(
            f"Expected the folder of a run of mkbench.systems.HeadDecomposition, found one of {type(system).__name__} "
            f"at {run}; run `mkbench predict` with a configuration such as critters/heads.yaml first."
        )
    return system


def load_data(run: Path) -> "ClassGroupDataModule":
    """Build the data of a finished run again, as its ``config.yaml`` says; images are read when they are asked for.

    Raises:
        UsageError: the run has no configuration, or one of data without class groups.
    """
    from mkbench.datamodules.base import ClassGroupDataModule  # noqa: PLC0415

    data = _build(run, "data")
    if not isinstance(data, ClassGroupDataModule):
        raise UsageError(f"Expected a DataModule of class groups in {run}, found {type(data).__name__}.")
    return data


def _build(run: Path, part: Literal["model", "data"]) -> Any:
    from mkbench.cli.trainer import MkbenchCLI  # noqa: PLC0415

    content = read_yaml(run / "config.yaml", kind="the configuration of a run")
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "config.yaml"  # without what only a trainer reads
        own.write_text(yaml.safe_dump({name: content[name] for name in ("model", "data")}), encoding="utf-8")
        return MkbenchCLI(["--config", str(own)], run=False).build(part)
