"""Pre-flight checks of a configuration, area by area; nothing is written to disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mkbench.cli.doctor.findings import Finding, Report, duration, merge, ok
from mkbench.cli.doctor.jobs import Job, figures_of, find_jobs
from mkbench.cli.doctor.model_checks import ModelChecks, run_model_checks
from mkbench.cli.doctor.resources import check_disk, disk_bytes, run_seconds
from mkbench.cli.doctor.shared_checks import SharedChecks, run_shared_checks
from mkbench.cli.trainer import MkbenchCLI
from mkbench.errors import UsageError


def examine(
    config: Path, overrides: Sequence[str] = (), *, fast: bool = False, say: Callable[[str], None] = lambda doing: None
) -> list[Finding]:
    """Check everything that a run of a configuration needs.

    Args:
        config: a configuration of `predict`, or a bench.
        overrides: further options of `predict`.
        fast: leave out what takes more than a few forward passes: time, memory and accuracy.
        say: told what is being done, for whoever waits.

    Returns:
        The findings; what holds for every model of a bench is in them once.

    Raises:
        UsageError: a configuration or an option that fits none of the models.
    """
    report = Report(say)
    say("reading the configuration")
    parsed = _parse(find_jobs(config, overrides), report)
    first = parsed[0][1]
    shared = run_shared_checks(report, first)
    checked = [run_model_checks(report, job.label, cli, shared, fast=fast) for job, cli in parsed]
    if fast:
        report.note("resources", [ok("time, memory and zero-shot accuracy were not tried (--fast)")])
    _check_disk(report, first, shared, checked)
    return merge(report.findings, [job.label for job, _ in parsed])


def _parse(jobs: Sequence[Job], report: Report) -> list[tuple[Job, MkbenchCLI]]:
    """Parse the words of every model; an error of some is a finding, one of all is the user's."""
    parsed: list[tuple[Job, MkbenchCLI]] = []
    refusals: list[UsageError] = []
    for job in jobs:
        try:
            parsed.append((job, job.parse()))
        except UsageError as error:
            refusals.append(error)
            report.findings.append(Finding("model", "problem", str(error).rstrip("."), job.label))
    if not parsed:
        raise refusals[0]
    return parsed


def _check_disk(report: Report, cli: MkbenchCLI, shared: SharedChecks, checked: Sequence[ModelChecks]) -> None:
    """Check the time and the disk space that all models together take."""
    measured, kept = [each.measured for each in checked], [each.kept_bytes for each in checked]
    known, size = [each for each in measured if each is not None], shared.run_size
    if len(known) > 1 and size is not None:
        total = sum(run_seconds(each, size) for each in known)
        report.note("resources", [ok(f"{duration(total)} for all {len(known)} runs that were measured")])
    images = 0 if shared.images is None else len(shared.images.listing.images)
    needed = disk_bytes(measured, images=images, figures=figures_of(cli), kept=kept)
    report.note("resources", check_disk(Path(cli.config.results.root), needed), doing="looking at the disk")
