"""Look-up of configuration files: a user's own, and those that come with the package."""

import re
import textwrap
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from mkbench.errors import UsageError, did_you_mean

#: The folder of packaged configurations, and the first part of their paths in commands.
FOLDER, PREFIX = Path(__file__).resolve().parents[1] / "configs", "configs"
_SECTION = re.compile(r"^(data|model|trainer): ([\w.\-/]+\.yaml)$", re.MULTILINE)
_REFERENCE = re.compile(r"[\w.\-/]+\.yaml")


def packaged_configs() -> dict[str, Path]:
    """List the packaged configurations by the path that commands take, sorted.

    >>> packaged_configs()["configs/critters/demo.yaml"].name
    'demo.yaml'
    """
    # `configs` is a package for the installer's sake alone; whatever lies beside the YAML files is none.
    return {f"{PREFIX}/{path.relative_to(FOLDER).as_posix()}": path for path in sorted(FOLDER.rglob("*.yaml"))}


def find_config(path: Path, *, beside: Path | None = None) -> Path:
    """Return the configuration file that a path means: that file or, where there is none, the packaged one.

    Args:
        path: as a command or a configuration gives it; ``configs/`` at its beginning may be left out.
        beside: the configuration that refers to it; its path is relative to that one's folder.

    Returns:
        An existing file, or the path as it was given for the reader to refuse.

    >>> find_config(Path("configs/critters/demo.yaml")).is_file()
    True
    """
    own = path if beside is None else beside.parent / path
    if own.is_file():
        return own
    name = path.as_posix().removeprefix("./")
    return packaged_configs().get(f"{PREFIX}/{name.removeprefix(f'{PREFIX}/')}", own)


def packaged_config(name: str) -> Path:
    """Return a packaged configuration by its path, with or without ``configs/`` and ``.yaml``.

    Raises:
        UsageError: there is none of that name.
    """
    known = packaged_configs()
    asked = f"{PREFIX}/{name.removeprefix(f'{PREFIX}/').removesuffix('.yaml')}.yaml"
    if asked not in known:
        raise UsageError(
            f"Expected the name of a packaged configuration, found {name!r}; {did_you_mean(asked, list(known))}; "
            "`mkbench configs` lists them."
        )
    return known[asked]


def headline(path: Path) -> str:
    """Return the first sentence of the comment that a configuration begins with; empty where there is none."""
    lines = takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    comment = " ".join(line.removeprefix("#").strip() for line in lines)
    return re.split(r"(?<=[.?])\s|:\s|:$", comment)[0]


def portable_text(path: Path) -> str:
    """Return a packaged configuration as it works from any folder.

    Other benches and protocols are named by their full packaged path; a section that lies in a file of its own, which
    the parser reads beside the configuration alone, is put in its place.

    >>> "protocol: configs/critters/mutual_knowledge.yaml" in portable_text(FOLDER / "critters" / "demo.yaml")
    True
    """
    root = FOLDER.resolve()

    def full(match: re.Match[str]) -> str:
        target = (path.parent / match[0]).resolve()
        known = target.is_file() and target.is_relative_to(root)
        return f"{PREFIX}/{target.relative_to(root).as_posix()}" if known else match[0]

    def inline(match: re.Match[str]) -> str:
        content = (path.parent / match[2]).read_text(encoding="utf-8")
        return f"{match[1]}:\n{textwrap.indent(content, '  ').rstrip()}"

    text = _SECTION.sub(inline, path.read_text(encoding="utf-8"))
    lines = [line.partition("#") for line in text.splitlines(keepends=True)]
    return "".join(_REFERENCE.sub(full, before) + mark + comment for before, mark, comment in lines)


def with_found_configs(words: Sequence[str]) -> list[str]:
    """Return the words of a command, with the files that ``--config`` names looked up.

    Raises:
        UsageError: a YAML file that is neither there nor packaged.

    >>> Path(with_found_configs(["predict", "--config=configs/critters/heads.yaml"])[1][9:]).is_file()
    True
    """
    found = list(words)
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option not in ("--config", "-c"):
            continue
        if equals:
            found[place] = f"{option}={_require_config(value)}"
        elif place + 1 < len(words):
            found[place + 1] = str(_require_config(words[place + 1]))
    return found


def _require_config(name: str) -> Path:
    path = find_config(Path(name))
    if path.suffix in (".yaml", ".yml") and not path.exists():
        raise UsageError(
            f"Expected a configuration at {name}, found none; check --config, or take one of `mkbench configs`."
        )
    return path
