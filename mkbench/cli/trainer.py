"""LightningCLI in subclass mode, with the run folder, the progress bar and the figures always attached."""

import argparse
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from mkbench.callbacks import GroupProgress, ResultWriter, Visualiser
from mkbench.callbacks.result_writer import find_writer
from mkbench.cli.config_files import with_found_configs
from mkbench.errors import MkbenchError, UsageError

#: Lines in which jsonargparse repeats what it was given; the reason stands in the others.
_REPETITIONS = ("Does not validate", "Subtypes:", "Errors:", "Expected a <class 'NoneType'>", "Given value")


def _quieten() -> None:
    """Suppress what Lightning says about hardware and loaders on every start; errors still show."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")


class Trainer(L.Trainer):
    """Lightning's trainer, except that predictions are not kept: a run folder has them, memory need not."""

    def predict(  # type: ignore[override]
        self,
        model: L.LightningModule | None = None,
        dataloaders: Any = None,
        datamodule: L.LightningDataModule | None = None,
        ckpt_path: str | None = None,
    ) -> Any:
        """Run the predict loop; returns None."""
        return super().predict(model, dataloaders, datamodule, return_predictions=False, ckpt_path=ckpt_path)


class MkbenchCLI(LightningCLI):
    """Parses `predict` and `fit`, builds system, data and trainer, and runs them.

    Args:
        args: the words of the command, beginning with `predict` or `fit`.
        run: build everything and run it. Otherwise `args` are options alone, nothing is run, and parts are built one
            by one with `build`.

    Raises:
        UsageError: an option or a configuration that does not fit.
    """

    def __init__(self, args: list[str], *, run: bool = True) -> None:
        _quieten()
        raising = {"exit_on_error": False}  # so that the error can be said in one sentence
        super().__init__(
            model_class=L.LightningModule,
            datamodule_class=L.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            save_config_callback=None,
            seed_everything_default=0,
            trainer_class=Trainer,
            trainer_defaults={
                "logger": False,
                "enable_checkpointing": False,
                "enable_progress_bar": args[:1] == ["fit"],  # `predict` has a bar of its own, over class groups
                "enable_model_summary": False,
                "num_sanity_val_steps": 0,
            },
            parser_kwargs={"prog": "mkbench", **raising, "fit": raising, "predict": raising},
            args=with_found_configs(args),
            run=run,
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the words; say what is wrong with them in a sentence instead of the whole usage."""
        try:
            super().parse_arguments(parser, args)
        except argparse.ArgumentError as error:
            raise UsageError(
                f"Expected options that fit, found: {one_line(str(error))}; `mkbench COMMAND --help` lists them."
            ) from error

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Only the two stages that mkbench has."""
        return {
            "fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule", "ckpt_path", "weights_only"},
            "predict": {"model", "dataloaders", "datamodule", "ckpt_path"},
        }

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add `--results.*`, `--progress.*` and `--figures.*`."""
        parser.add_lightning_class_args(ResultWriter, "results")
        parser.add_lightning_class_args(GroupProgress, "progress")
        parser.add_lightning_class_args(Visualiser, "figures")

    def instantiate_classes(self) -> None:
        """Build everything, then give the writer the configuration to keep."""
        if self.subcommand is None:
            return
        try:
            super().instantiate_classes()
        except (ValueError, MisconfigurationException) as error:  # jsonargparse wraps what a constructor raises
            raise own_error(error) from error
        subcommand = str(self.subcommand)
        parser = self._parser(subcommand)  # as LightningCLI itself saves a configuration
        find_writer(self.trainer).config_text = parser.dump(self.config[subcommand], skip_none=False)

    def build(self, part: Literal["model", "data", "trainer"]) -> Any:
        """Build one part alone, so that a fault of one hides none of another; only without `run`.

        Raises:
            MkbenchError: whatever the part raises as one.
            UsageError: options that do not fit the part.
        """
        config = self.config.clone()
        for other in {"model", "data"} - {part}:
            config.pop(other)
        # `instantiate_classes` is called `instantiate` since jsonargparse 4.49.
        instantiate = getattr(self.parser, "instantiate", None) or self.parser.instantiate_classes
        try:
            self.config_init = instantiate(config)
            return self.instantiate_trainer() if part == "trainer" else self.config_init[part]
        except (ValueError, MisconfigurationException) as error:
            raise own_error(error) from error

    @property
    def run_folder(self) -> Path | None:
        """Folder of the run folder; None after training."""
        return find_writer(self.trainer).folder if self.subcommand == "predict" else None


def run_trainer(words: Sequence[str]) -> Path | None:
    """Run `predict` or `fit` with the given words, in this process; return the folder of the run, if it has one.

    Raises:
        MkbenchError: whatever a user's mistake leads to.
    """
    return MkbenchCLI(list(words)).run_folder


def one_line(message: str) -> str:
    r"""Return the reason in a message of jsonargparse as one line.

    >>> one_line("Parser key 'model':\n  Errors:\n    - Option 'pol' is not accepted\n  Given value: {}")
    "Parser key 'model': Option 'pol' is not accepted"
    """
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(_REPETITIONS)).rstrip(".")


def own_error(error: BaseException) -> MkbenchError:
    """Return the mkbench error behind another one, or a usage error with the reason that was given first.

    >>> own_error(ValueError("num_parts must be at least 1, found 0"))
    UsageError('Expected options that fit, found: num_parts must be at least 1, found 0; correct the option.')
    """
    first = error
    while first.__cause__ is not None and not isinstance(first, MkbenchError):
        first = first.__cause__
    if isinstance(first, MkbenchError):
        return first
    return UsageError(f"Expected options that fit, found: {one_line(str(first))}; correct the option.")
