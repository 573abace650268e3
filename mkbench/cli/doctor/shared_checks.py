"""Doctor checks that hold for every model: data, class list, concept bank and devices."""

from dataclasses import dataclass
from typing import Any

import lightning as L

from mkbench.cli.doctor import class_list
from mkbench.cli.doctor.bank import check_bank
from mkbench.cli.doctor.data import (
    Listing,
    Sample,
    check_files,
    check_listing,
    check_other_files,
    check_sample,
    list_images,
    open_images,
)
from mkbench.cli.doctor.findings import Report
from mkbench.cli.doctor.resources import RunSize, check_trainer
from mkbench.cli.trainer import MkbenchCLI
from mkbench.concepts import ConceptBank
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.errors import UsageError


@dataclass(frozen=True)
class Images:
    """Data module with its listing and a sample of opened images.

    Attributes:
        data: the data.
        listing: which images a run would explain.
        sample: some of them, opened.
    """

    data: ClassGroupDataModule
    listing: Listing
    sample: Sample


@dataclass(frozen=True)
class SharedChecks:
    """Results of the checks that hold for every model; None for what could not be made, which is a finding.

    Attributes:
        images: the data.
        bank: the concept bank.
        trainer: knows the devices of the run.
    """

    images: Images | None
    bank: ConceptBank | None
    trainer: L.Trainer | None

    @property
    def run_size(self) -> RunSize | None:
        """Size of a run of one model; None if it is not known."""
        if self.images is None or self.bank is None or self.trainer is None:
            return None
        data, listing = self.images.data, self.images.listing
        return RunSize(
            images=len(listing.images),
            texts=2 * len(self.bank) + len(listing.class_names) * len(data.templates),
            devices=min(self.trainer.world_size, max(listing.groups(data.group_size), 1)),  # groups are not divided
            num_workers=data.num_workers,
            read_seconds=self.images.sample.seconds,
        )


def run_shared_checks(report: Report, cli: MkbenchCLI) -> SharedChecks:
    """Check data, class list, bank and devices; none of it needs the model."""
    data = report.attempt("data", lambda: _class_groups(cli.build("data")), doing="looking at the data")
    bank = None
    if data is not None:
        bank = report.attempt("bank", lambda: data.bank, doing="reading the concept bank")
        if bank is not None:
            report.note("bank", check_bank(bank, data.bank_file))
    images = None if data is None else _check_images(report, data, bank)
    trainer = report.attempt("resources", lambda: cli.build("trainer"), doing="looking for devices")
    if trainer is not None and images is not None:
        groups = images.listing.groups(images.data.group_size)
        report.note("resources", check_trainer(trainer, groups))
    return SharedChecks(images, bank, trainer)


def _class_groups(data: Any) -> ClassGroupDataModule:
    if not isinstance(data, ClassGroupDataModule):
        raise UsageError(
            f"Expected a DataModule of class groups in `data`, found {type(data).__name__}; choose one such as "
            "mkbench.datamodules.ImageFolder."
        )
    return data


def _check_images(report: Report, data: ClassGroupDataModule, bank: ConceptBank | None) -> Images | None:
    listing = report.attempt("data", lambda: list_images(data), doing="listing the images")
    if listing is None:
        return None
    report.note("data", check_listing(data, listing))
    report.note("data", check_files(data, listing), doing="looking up the files")
    report.note("data", check_other_files(data), doing="looking up other files")
    report.note("class list", class_list.check_names(listing.class_names, data.templates))
    named = not class_list.wordnet_ids(listing.class_names)  # else there is nothing to compare
    if data.labelled and named:
        report.note("class list", class_list.check_order(listing))
    if bank is not None and named:
        report.note("class list", class_list.check_against_bank(listing.class_names, bank))
    sample = report.attempt("data", lambda: open_images(data, listing), doing="opening images")
    if sample is None:
        return None
    report.note("data", check_sample(sample, listing))
    return Images(data, listing, sample)
