"""Lines, JSON and YAML of text files that users write."""

import json
from collections import Counter
from typing import Any

import yaml

#: Most brackets around a value of a JSON or YAML file; none that is read here has more than a handful.
_DEEPEST = 100
_HALF = "half of a pair of surrogates, which no file of results can hold"
_TOO_DEEP = f"more than {_DEEPEST} brackets within each other"
#: Most lists and objects, counted as often as aliases of YAML repeat them.
_MOST_PARTS = 20_000_000


def split_lines(text: str) -> list[str]:
    r"""Split text at line feeds, carriage returns, and the two together, and at nothing else.

    ``str.splitlines`` would also split at form feeds, U+0085 and U+2028, which may stand within a name.

    >>> split_lines("barn\u2028owl\r\nbat\n")
    ['barn\u2028owl', 'bat']
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def parse_json(text: str) -> Any:
    """Parse JSON strictly: a key that repeats, of which the standard library keeps the last, is an error.

    Args:
        text: the content of a file.

    Raises:
        ValueError: the text is not JSON, has an object with the same key twice, is nested more than 100 deep, or
            escapes half of a character.

    >>> parse_json('{"owl": ["wings"]}')
    {'owl': ['wings']}
    >>> parse_json('{"owl": ["wings"], "owl": ["large eyes"]}')
    Traceback (most recent call last):
    ValueError: 'owl' is a key twice
    """
    try:
        content = json.loads(text, object_pairs_hook=unique_pairs)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    _require_shallow(content)
    if "\\u" in text and not is_utf8(json.dumps(content, ensure_ascii=False)):
        raise ValueError(_HALF)
    return content


def parse_yaml(text: str) -> Any:
    """Parse YAML without tags that name Python objects.

    Args:
        text: the content of a file.

    Raises:
        ValueError: the text is not YAML, is nested more than 100 deep, escapes half of a character, or stands for
            gigabytes by its aliases.

    >>> parse_yaml("owl: [wings]")
    {'owl': ['wings']}
    """
    try:
        _require_plain_yaml(text)  # building what is nested deeply would take minutes
        content = yaml.safe_load(text)
    except (yaml.YAMLError, AttributeError) as error:  # the library's own slip over a tag of a date that is none
        raise ValueError(" ".join(str(error).split())) from error
    _require_shallow(content)
    return content


def _require_plain_yaml(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(_TOO_DEEP)
        if isinstance(event, yaml.ScalarEvent) and not is_utf8(event.value):
            raise ValueError(_HALF)


def unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a dictionary of different keys.

    Raises:
        ValueError: a key repeats.

    >>> unique_pairs([("owl", 1), ("bat", 2)])
    {'owl': 1, 'bat': 2}
    """
    if len(dict(pairs)) < len(pairs):
        (repeated, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"{repeated!r} is a key twice")
    return dict(pairs)


def _require_shallow(content: Any) -> None:
    """Refuse what is nested too deeply, level by level, so that nothing recurses here or in a later message."""
    level = {id(content): (content, 1)}
    for _ in range(_DEEPEST + 1):
        within: dict[int, tuple[Any, int]] = {}
        for outer, times in level.values():
            values = outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ()
            for inner in values:
                if isinstance(inner, (dict, list)):
                    within[id(inner)] = inner, times + within.get(id(inner), (None, 0))[1]
        level = within
        if sum(times for _, times in level.values()) > _MOST_PARTS:
            raise ValueError("aliases that repeat themselves millions of times")
    if level:
        raise ValueError(_TOO_DEEP)


def printable(text: str) -> str:
    r"""Return a text that can be encoded: the bytes of a file name that is not UTF-8 are written as ``\udc..``.

    >>> printable("owl.png"), printable("caf\udce9.png")
    ('owl.png', 'caf\\udce9.png')
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def is_utf8(text: str) -> bool:
    r"""Tell whether a text, such as the name of a file, can be written to a file of results.

    >>> is_utf8("café.png"), is_utf8("caf\udce9.png")
    (True, False)
    """
    return printable(text) == text
