"""Facts of finished runs: rules that applied, entries of their provenance, and how to run one again."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mkbench.runs.finished_runs import Run
from mkbench.runs.run_folder import CONFIG
from mkbench.studies.reproduction.remarks import RULES as OF_EXPLAINERS


class Rule(NamedTuple):
    """A rule for special cases.

    Attributes:
        unit: what it is counted in.
        meaning: when it applies, and what it does.
    """

    unit: str
    meaning: str


#: Rules by their names in ``results.json``.
RULES: Mapping[str, Rule] = {
    **{name: Rule("images", meaning) for name, meaning in OF_EXPLAINERS.items()},
    "crf_empty": Rule("images", "the refined foreground was empty, so that the unrefined one counts"),
    "filled_up": Rule("images", "too few patches have a positive saliency, so that others count too"),
    "no_part": Rule("images", "no part at all, hence no concepts"),
    "contour_box": Rule("parts", "no ellipse fits the outline, so that the ring of the prompt follows its box"),
    "refined_part_empty": Rule("parts", "the refinement left nothing, so that the unrefined part counts"),
    "truncated": Rule("texts", "longer than the text encoder takes, hence cut"),
    "no_contrast": Rule("images", "a map without contrast, hence no object"),
    "no_mask": Rule("images", "no visible object, hence left out"),
    "no_descriptors": Rule("classes", "no descriptors, so that the prompts alone count"),
    "nothing_mined": Rule("classes", "nothing was mined"),
    "hurt": Rule("classes", "mined descriptors would lower the accuracy, so that they do not count"),
}
_LONGEST = 200  # letters of a value


def data_sentences(runs: Sequence[Run]) -> list[str]:
    """Say of each run over a part of its data that it is one, and how many files were left out."""
    found = []
    for run in runs:
        data = run.results["data"]
        if data["unreadable"]:
            found.append(
                f"{run.label}: {len(data['unreadable'])} of {data['images'] + len(data['unreadable'])} images could "
                f"not be read and are left out; the first: {data['unreadable'][0]}"
            )
        if data.get("not_images"):
            found.append(
                f"{run.label}: files left out beside the images, since they are no images by their suffixes: "
                f"{data['not_images']}; `mkbench doctor` names them."
            )
        partial = data.get("partial")
        if partial:
            found.append(
                f"{run.label}: a partial run, {partial['groups']} of {partial['of']} class groups; its numbers are not "
                "those of the data set. Run it without --trainer.limit_predict_batches to go on."
            )
    return found


def applied_rules(run: Run) -> Iterator[tuple[str, str, int]]:
    """List the rules for special cases that applied in a run: stage or explainer, rule, how often.

    >>> from pathlib import Path
    >>> list(applied_rules(Run(Path("a"), "a", {"fallbacks": {"pca": {"no_foreground": 2, "single_part": 0}}}, {})))
    [('pca', 'no_foreground', 2)]
    """
    for stage, rules in run.results["fallbacks"].items():
        yield from ((stage, rule, count) for rule, count in rules.items() if count)


def provenance_entries(run: Run) -> list[tuple[str, str]]:
    """List what is recorded of a run's model, data, settings and environment, as dotted names and texts."""
    document: Mapping[str, Any] = {
        **{name: run.results.get(name) for name in ("model", "data", "settings")},
        "environment": run.environment,
    }
    return list(_entries(document))


def _entries(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, entry in value.items():
            yield from _entries(entry, f"{name}.{key}" if name else key)
        return
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    yield name, text if len(text) <= _LONGEST else f"{text[:_LONGEST]} \u2026"


def command_again(run: Run) -> str | None:
    """Return the command that computes a run again; None where it has no configuration.

    >>> from pathlib import Path
    >>> command_again(Run(Path("nowhere"), "a", {}, {})) is None
    True
    """
    path = run.folder / CONFIG
    if not path.is_file():
        return None
    return f"mkbench predict --config {shlex.quote(path.as_posix())} --results.overwrite true"
