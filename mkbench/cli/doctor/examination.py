"""Goes through all areas, from a configuration to findings; nothing is written to disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mkbench.cli.doctor.findings import Finding, duration, ok
from mkbench.cli.doctor.jobs import Subject, figures_of, list_subjects
from mkbench.cli.doctor.model_checks import Candidate, examine_model
from mkbench.cli.doctor.report import Notebook, merge
from mkbench.cli.doctor.resources import check_disk, disk_bytes, run_seconds
from mkbench.cli.doctor.shared_checks import Ground, examine_ground
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
    notebook = Notebook(say)
    say("reading the configuration")
    parsed = _parse(list_subjects(config, overrides), notebook)
    first = parsed[0][1]
    ground = examine_ground(notebook, first)
    candidates = [examine_model(notebook, subject.label, cli, ground, fast=fast) for subject, cli in parsed]
    if fast:
        notebook.note("resources", [ok("time, memory and zero-shot accuracy were not tried (--fast)")])
    _examine_whole(notebook, first, ground, candidates)
    return merge(notebook.findings, [subject.label for subject, _ in parsed])


def _parse(subjects: Sequence[Subject], notebook: Notebook) -> list[tuple[Subject, MkbenchCLI]]:
    """Parse the words of every model; an error of some is a finding, one of all is the user's."""
    parsed: list[tuple[Subject, MkbenchCLI]] = []
    refusals: list[UsageError] = []
    for subject in subjects:
        try:
            parsed.append((subject, subject.parse()))
        except UsageError as error:
            refusals.append(error)
            notebook.findings.append(Finding("model", "problem", str(error).rstrip("."), subject.label))
    if not parsed:
        raise refusals[0]
    return parsed


def _examine_whole(notebook: Notebook, cli: MkbenchCLI, ground: Ground, candidates: Sequence[Candidate]) -> None:
    """Check what all models together take."""
    measured, kept = [each.measured for each in candidates], [each.kept_bytes for each in candidates]
    known, size = [each for each in measured if each is not None], ground.run_size
    if len(known) > 1 and size is not None:
        total = sum(run_seconds(each, size) for each in known)
        notebook.note("resources", [ok(f"{duration(total)} for all {len(known)} runs that were measured")])
    images = 0 if ground.images is None else len(ground.images.listing.images)
    needed = disk_bytes(measured, images=images, figures=figures_of(cli), kept=kept)
    notebook.note("resources", check_disk(Path(cli.config.results.root), needed), doing="looking at the disk")
