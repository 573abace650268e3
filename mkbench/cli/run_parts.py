"""System and data of a finished run, built again from its ``config.yaml``."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml

from mkbench.cli.bench_config import read_yaml
from mkbench.cli.run_trust import TRUST_OPTION, require_own_classes
from mkbench.errors import UsageError
from mkbench.runs.run_folder import CONFIG

if TYPE_CHECKING:
    from mkbench.datamodules.base import ClassGroupDataModule
    from mkbench.systems import HeadDecomposition
    from mkbench.systems.base import BenchmarkSystem

_System = TypeVar("_System", bound="BenchmarkSystem")


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust-config``, which commands have that build what a run's configuration names."""
    parser.add_argument(
        TRUST_OPTION,
        action="store_true",
        help="build whatever classes the configuration of a run names; only for runs whose maker you trust",
    )


def load_system(run: Path, *, trust: bool = False) -> "HeadDecomposition":
    """Build the system of a finished run again, as its ``config.yaml`` says.

    Args:
        run: folder of the run.
        trust: build classes that are not mkbench's own, too.

    Raises:
        UsageError: the run has no configuration, or one of another system or of classes that are not mkbench's own.
        BackboneError: its model cannot be loaded any more.
    """
    from mkbench.systems import HeadDecomposition  # noqa: PLC0415

    system = load_any_system(run, trust=trust)
    if not isinstance(system, HeadDecomposition):
        raise UsageError(
            f"Expected the folder of a run of mkbench.systems.HeadDecomposition, found one of {type(system).__name__} "
            f"at {run}; run `mkbench predict` with a configuration such as critters/heads.yaml first."
        )
    return system


def load_any_system(run: Path, *, trust: bool = False) -> "BenchmarkSystem":
    """Build the system of a finished run again, whichever it is.

    Args:
        run: folder of the run.
        trust: build classes that are not mkbench's own, too.

    Raises:
        UsageError: the run has no configuration, or one of classes that are not mkbench's own.
        BackboneError: its model cannot be loaded any more.
    """
    from mkbench.systems.base import BenchmarkSystem  # noqa: PLC0415

    system = load_part(run, "model", trust=trust)
    if not isinstance(system, BenchmarkSystem):
        raise UsageError(f"Expected a system of mkbench in {run}, found {type(system).__name__}.")
    return system


def on_accelerator(system: _System) -> _System:
    """Move a system to the accelerator that `mkbench predict` would choose."""
    # These take seconds to import.
    from lightning.fabric import Fabric  # noqa: PLC0415

    from mkbench.cli.trainer import usable_accelerator  # noqa: PLC0415

    return system.to(Fabric(accelerator=usable_accelerator("auto"), devices=1).device)


def load_data(run: Path, *, trust: bool = False) -> "ClassGroupDataModule":
    """Build the data of a finished run again, as its ``config.yaml`` says; images are read when they are asked for.

    Args:
        run: folder of the run.
        trust: build classes that are not mkbench's own, too.

    Raises:
        UsageError: the run has no configuration, or one of data without class groups or of classes that are not
            mkbench's own.
    """
    from mkbench.datamodules.base import ClassGroupDataModule  # noqa: PLC0415

    data = load_part(run, "data", trust=trust)
    if not isinstance(data, ClassGroupDataModule):
        raise UsageError(f"Expected a DataModule of class groups in {run}, found {type(data).__name__}.")
    return data


def load_part(run: Path, part: Literal["model", "data"], *, trust: bool = False) -> Any:
    """Build the system or the data of a run again, whatever kind they are of.

    Args:
        run: folder of the run.
        part: which of the two.
        trust: build classes that are not mkbench's own, too.

    Raises:
        UsageError: the run has no configuration, or one of classes that are not mkbench's own.
        MkbenchError: whatever the part raises.
    """
    from mkbench.cli.trainer import MkbenchCLI  # noqa: PLC0415
    from mkbench.datamodules.base import ClassGroupDataModule  # noqa: PLC0415
    from mkbench.systems.base import BenchmarkSystem  # noqa: PLC0415

    if not (run / CONFIG).is_file():
        raise UsageError(
            f"Expected the folder of a model's run with {CONFIG}, found none at {run}; name one, as "
            "runs/demo/critters-vit-s."
        )
    content = read_yaml(run / CONFIG, kind="the configuration of a run")
    bases = {"model": BenchmarkSystem, "data": ClassGroupDataModule}
    if not isinstance(content, dict) or not content.keys() >= bases.keys():
        raise UsageError(
            f"Expected the configuration of a run with `model` and `data` in {run / CONFIG}, found something else; run "
            "`mkbench predict` again."
        )
    for name, base in bases.items():
        if not trust:
            require_own_classes(content[name], base, place=name, run=run)
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / CONFIG  # without what only a trainer reads
        own.write_text(yaml.safe_dump({name: content[name] for name in ("model", "data")}), encoding="utf-8")
        return MkbenchCLI(["--config", str(own)], run=False).build(part)
