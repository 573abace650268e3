"""What all models of an examination have in common: data, bank and devices."""

from dataclasses import dataclass
from typing import Any

import lightning as L

from mkbench.concepts import ConceptBank
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.doctor import class_list
from mkbench.doctor.bank import check_bank
from mkbench.doctor.data import Listing, Sample, check_files, check_listing, check_sample, list_pictures, open_pictures
from mkbench.doctor.notebook import Notebook
from mkbench.doctor.resources import RunSize, check_trainer
from mkbench.errors import UsageError
from mkbench.trainer_cli import MkbenchCLI


@dataclass(frozen=True)
class Pictures:
    """The data, listed and tried.

    Attributes:
        data: the data.
        listing: which pictures a run would explain.
        sample: some of them, opened.
    """

    data: ClassGroupDataModule
    listing: Listing
    sample: Sample


@dataclass(frozen=True)
class Ground:
    """What all models have in common; None for what could not be made, which is a finding.

    Attributes:
        pictures: the data.
        bank: the concept bank.
        trainer: knows the devices of the run.
    """

    pictures: Pictures | None
    bank: ConceptBank | None
    trainer: L.Trainer | None

    @property
    def run_size(self) -> RunSize | None:
        """How much a run of one model has to do; None if that is not known."""
        if self.pictures is None or self.bank is None or self.trainer is None:
            return None
        data, listing = self.pictures.data, self.pictures.listing
        return RunSize(
            pictures=len(listing.pictures),
            texts=2 * len(self.bank) + len(listing.class_names) * len(data.templates),
            devices=min(self.trainer.world_size, max(listing.groups(data.group_size), 1)),  # groups are not divided
            num_workers=data.num_workers,
            read_seconds=self.pictures.sample.seconds,
        )


def examine_ground(notebook: Notebook, cli: MkbenchCLI) -> Ground:
    """Check data, class list, bank and devices; none of it needs the model."""
    data = notebook.attempt("data", lambda: _class_groups(cli.build("data")), doing="looking at the data")
    bank = None
    if data is not None:
        bank = notebook.attempt("bank", lambda: data.bank, doing="reading the concept bank")
        if bank is not None:
            notebook.note("bank", check_bank(bank, data.bank_file))
    pictures = None if data is None else _examine_pictures(notebook, data, bank)
    trainer = notebook.attempt("resources", lambda: cli.build("trainer"), doing="looking for devices")
    if trainer is not None and pictures is not None:
        groups = pictures.listing.groups(pictures.data.group_size)
        notebook.note("resources", check_trainer(trainer, groups))
    return Ground(pictures, bank, trainer)


def _class_groups(data: Any) -> ClassGroupDataModule:
    if not isinstance(data, ClassGroupDataModule):
        raise UsageError(
            f"Expected a DataModule of class groups in `data`, found {type(data).__name__}; choose one such as "
            "mkbench.datamodules.ImageFolder."
        )
    return data


def _examine_pictures(notebook: Notebook, data: ClassGroupDataModule, bank: ConceptBank | None) -> Pictures | None:
    listing = notebook.attempt("data", lambda: list_pictures(data), doing="listing the pictures")
    if listing is None:
        return None
    notebook.note("data", check_listing(data, listing))
    notebook.note("data", check_files(data, listing), doing="looking up the files")
    notebook.note("class list", class_list.check_names(listing.class_names, data.templates))
    named = not class_list.wordnet_ids(listing.class_names)  # else there is nothing to compare
    if data.labelled and named:
        notebook.note("class list", class_list.check_order(listing))
    if bank is not None and named:
        notebook.note("class list", class_list.check_against_bank(listing.class_names, bank))
    sample = notebook.attempt("data", lambda: open_pictures(data, listing), doing="opening pictures")
    if sample is None:
        return None
    notebook.note("data", check_sample(sample, listing))
    return Pictures(data, listing, sample)
