"""Which language models and prompts a concept bank was made with, in a file beside it."""

from pathlib import Path
from typing import Any

from mkbench.text_files import parse_json


def origin_path(bank: Path) -> Path:
    """Return where it stands what a bank was made with.

    >>> origin_path(Path("banks/birds.json")).as_posix()
    'banks/birds.provenance.json'
    """
    return bank.with_suffix(".provenance.json")


def bank_origin(bank: Path | None, sha256: str) -> dict[str, Any]:
    """Return ``prompts`` and ``language_models`` of a bank that `mkbench bank` made; nothing for any other.

    A bank that was edited since is another one.

    Args:
        bank: its file; None where the data set brings its own.
        sha256: of its bytes.

    >>> bank_origin(Path("descriptors.json"), "")
    {}
    """
    try:
        content = parse_json(origin_path(bank).read_text(encoding="utf-8")) if bank else {}
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.get("bank_sha256") != sha256:
        return {}
    try:
        models = [model["model"] for model in content["language_models"]]
        return {"prompts": list(content["prompts"]), "language_models": models}
    except (KeyError, TypeError):
        return {}
