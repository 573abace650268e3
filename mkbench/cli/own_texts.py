"""Class names and descriptors of a user's own, which models that are named on the command line explain images with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mkbench.backbones import Backbone
from mkbench.cli.doctor.bank import too_long
from mkbench.concepts import load_bank
from mkbench.datamodules.base import load_templates
from mkbench.datamodules.class_names import name_list, read_class_names
from mkbench.errors import DataError, UsageError
from mkbench.studies.head_queries.choice import require_words

_SHOWN = 40  # characters of a text that is too long


@dataclass(frozen=True)
class OwnTexts:
    """Texts that images are explained with.

    Attributes:
        class_names: names to predict among, at least one.
        descriptors: at least two different ones.
        templates: class prompts with ``{}``.
    """

    class_names: Sequence[str]
    descriptors: Sequence[str]
    templates: Sequence[str]

    def prompts(self) -> list[str]:
        """Return the class names as prompts, one of each template.

        >>> OwnTexts(["owl", "bat"], ["wings", "ears"], ["a photo of a {}."]).prompts()
        ['a photo of a owl.', 'a photo of a bat.']
        """
        return [template.format(name) for template in self.templates for name in self.class_names]

    def require_short(self, backbone: Backbone) -> None:
        """Check that a model reads all texts whole.

        Raises:
            UsageError: it would cut one short.
        """
        cut = too_long(backbone, {text: text for text in (*self.prompts(), *self.descriptors)})
        for text, tokens in cut.items():
            raise UsageError(
                f"Expected class names and descriptors that {backbone.name} reads whole, {backbone.context_length} "
                f"tokens, found {len(cut):,} longer ones, the first of {tokens:,} tokens: {text[:_SHOWN]!r}; "
                "shorten them."
            )


def read_own_texts(class_names: Path | None, bank: Path | None) -> OwnTexts | None:
    """Read the files of ``--class-names`` and ``--bank``.

    Args:
        class_names: JSON or one name a line, as ``--data.class_names``; or ``imagenet``.
        bank: JSON, CSV or one descriptor a line, as ``--data.bank``.

    Returns:
        The texts; None without files.

    Raises:
        UsageError: one file without the other, a file that does not exist, or a text that no model reads.
        DataError: a file of another form, or without texts.

    >>> read_own_texts(Path("names.txt"), None)
    Traceback (most recent call last):
    mkbench.errors.UsageError: Expected --class-names and --bank together, found no --bank; give both or neither.
    """
    if class_names is None and bank is None:
        return None
    if class_names is None or bank is None:
        missing = "--class-names" if class_names is None else "--bank"
        raise UsageError(f"Expected --class-names and --bank together, found no {missing}; give both or neither.")
    names, descriptors = name_list(read_class_names(class_names)), load_bank(bank).descriptors
    if not names:
        raise DataError(f"Expected at least one class name in {class_names}, found none; correct the file.")
    for file, texts in ((class_names, names), (bank, descriptors)):
        require_words(texts, where=f" in {file}")
    return OwnTexts(names, descriptors, load_templates("default"))
