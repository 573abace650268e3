"""LightningCLI in subclass mode, with the run folder, the progress bar and the figures always attached."""

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
import yaml
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from mkbench.backbones.local import PREFIX
from mkbench.callbacks import GroupProgress, ResultWriter, Visualiser
from mkbench.callbacks.result_writer import find_writer
from mkbench.callbacks.training_export import find_exports
from mkbench.cli.config_files import with_found_configs
from mkbench.cli.dead_workers import dead_workers_explained
from mkbench.cli.lost_results import restore_results
from mkbench.cli.option_errors import nearest_option, one_line, own_error, path_parameters
from mkbench.cli.run_seed import unify_seeds
from mkbench.cli.stopping import raise_if_stopping, stop_on_signals, stop_with, take_devices
from mkbench.errors import UsageError
from mkbench.systems.base import BenchmarkSystem

#: What constructors raise that refuse an option.
_REFUSALS = (ValueError, TypeError, MisconfigurationException)


def _quieten() -> None:
    """Suppress what Lightning says about hardware and loaders on every start; errors still show."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")


#: What a training is known by, beside options of the trainer other than those that change nothing of it.
_TRAINED = ("seed_everything", "model", "data")
_WITHOUT_EFFECT = ("callbacks", "enable_model_summary", "enable_progress_bar", "logger")


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


#: Options that take a name where nothing lies at the path: of a data set on the hub, of packaged class names, `auto`.
NAMES_TOO = ("path", "class_names", "concept_groups")


def with_absolute_paths(value: Any) -> Any:
    """Return a part of a configuration with absolute paths, so that it can be built again from any folder.

    >>> with_absolute_paths({"file": Path("/a"), "names": ["local-dir:/b"], "number": 3})
    {'file': PosixPath('/a'), 'names': ['local-dir:/b'], 'number': 3}
    """
    if isinstance(value, Namespace):
        make: Any = Namespace
        kept = make(**{name: with_absolute_paths(entry) for name, entry in vars(value).items()})
        for name in path_parameters(str(vars(value).get("class_path"))) & set(vars(kept.get("init_args") or make())):
            given = kept.init_args[name]
            is_name = name in NAMES_TOO and not os.path.exists(str(given))
            kept.init_args[name] = os.path.abspath(given) if isinstance(given, str) and not is_name else given
        return kept
    if isinstance(value, dict):
        return {name: with_absolute_paths(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [with_absolute_paths(entry) for entry in value]
    if isinstance(value, str) and value.startswith(PREFIX):
        return PREFIX + os.path.abspath(os.path.expanduser(value.removeprefix(PREFIX)))
    return value.absolute() if isinstance(value, Path) else value


class StopOnSigterm(Callback):
    """Handler of SIGTERM while the trainer runs, in the place of Lightning's, under which `predict` goes on."""

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take the signal back from Lightning, and the processes it started for other devices when it comes."""
        stop_on_signals()
        stop_with(getattr(trainer.strategy.launcher, "procs", []))

    on_train_start = on_predict_start

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Take them at Ctrl-C too, which Python and not a handler of this package turns into an exception."""
        if isinstance(exception, KeyboardInterrupt):
            take_devices()

    def on_predict_batch_end(self, *hook: Any) -> None:
        """Stop here if the signal was lost in a finaliser."""
        raise_if_stopping()

    def on_train_batch_end(self, *hook: Any) -> None:
        """Stop after a training batch, as after a batch of predictions."""
        raise_if_stopping()


def usable_accelerator(asked: str) -> str:
    """Return the accelerator to run on: the one that was asked for, but the CPU where `auto` means Apple's MPS.

    Sums are in float64, which MPS does not have.

    >>> usable_accelerator("cpu")
    'cpu'
    """
    if asked != "auto" or torch.cuda.is_available() or not torch.backends.mps.is_available():
        return asked
    print("mkbench: runs on the CPU, since MPS has no float64, which the metrics need.", file=sys.stderr)
    return "cpu"


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
            seed_everything_default=False,  # so that a seed that was given can be told; 0 is what runs without,
            trainer_class=Trainer,
            trainer_defaults={
                "logger": False,
                "enable_checkpointing": False,
                "enable_progress_bar": args[:1] == ["fit"],  # `predict` has a bar of its own, over class groups
                "enable_model_summary": False,
                "num_sanity_val_steps": 0,
                "callbacks": [StopOnSigterm()],
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
            reason = one_line(str(error))
            advice = nearest_option(reason, self._known_options(parser))
            raise UsageError(
                f"Expected options that fit, found: {reason}{advice or '; `mkbench COMMAND --help` lists them.'}"
            ) from error
        unify_seeds(self.config.get(str(self.config.get("subcommand")), self.config))

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
        # The figures of a group come before its file: a group that need not be computed again has them.
        parser.callback_keys.sort(key=["figures", "results", "progress"].index)

    def instantiate_trainer(self, **options: Any) -> L.Trainer:
        """Build the trainer, on the CPU where `auto` would mean a device without float64."""
        asked = str(self._get(self.config_init, "trainer")["accelerator"])
        return super().instantiate_trainer(accelerator=usable_accelerator(asked), **options)

    def instantiate_classes(self) -> None:
        """Build everything, then give the writer the configuration to keep."""
        if self.subcommand is None:
            return
        try:
            super().instantiate_classes()
        except _REFUSALS as error:  # jsonargparse wraps what a constructor raises
            raise own_error(error) from error
        if isinstance(self.model, BenchmarkSystem):
            restore_results(self.model.earlier_runs)
        subcommand = str(self.subcommand)
        parser = self._parser(subcommand)  # as LightningCLI itself saves a configuration
        kept = with_absolute_paths(self.config[subcommand])
        self.kept_text: str = parser.dump(kept, skip_none=False)
        find_writer(self.trainer).config_text = self.kept_text

    def fit(self, **parts: Any) -> None:
        """Train, or go on with a training that was stopped.

        Raises:
            DataError: what that left is damaged.
            UsageError: what that left belongs to another training.
        """
        settings = yaml.safe_load(self.kept_text)
        trainer = {name: value for name, value in settings["trainer"].items() if name not in _WITHOUT_EFFECT}
        kept = None
        for export in find_exports(self.trainer):
            export.settings = {**{name: settings[name] for name in _TRAINED}, "trainer": trainer}
            kept = export.find_checkpoint()
        self.trainer.fit(**parts, ckpt_path=kept)

    @staticmethod
    def _known_options(parser: LightningArgumentParser) -> list[str]:
        """Return the option strings of the parser and those below it."""
        below: Any = getattr(parser, "_subcommands_action", None)
        parsers = [parser, *(below._name_parser_map.values() if below is not None else ())]
        return [option for each in parsers for option in each._option_string_actions]

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
        except _REFUSALS as error:
            raise own_error(error) from error

    def show_outcome(self) -> None:
        """Print the table of a finished `predict`, from the first device."""
        if self.subcommand != "predict" or not self.trainer.is_global_zero:
            return
        from mkbench.cli.run_summary import show_run  # noqa: PLC0415 - takes a second to import

        writer = find_writer(self.trainer)
        if writer.smoke_test:
            print("smoke test: the first class group went through; nothing was kept.")
        else:
            show_run(writer.folder, already_finished=writer.already_finished)

    @property
    def run_folder(self) -> Path | None:
        """Folder of the run; None after training and after a smoke test."""
        writer = find_writer(self.trainer)
        return writer.folder if self.subcommand == "predict" and not writer.smoke_test else None


def run_trainer(words: Sequence[str]) -> Path | None:
    """Run `predict` or `fit` with the given words, in this process; return the folder of the run, if it has one.

    Raises:
        MkbenchError: whatever a user's mistake leads to.
    """
    with dead_workers_explained():
        return MkbenchCLI(list(words)).run_folder
