"""Options that may stand anywhere in the words of a command, before any parser sees them."""

from collections.abc import Sequence


def take_values(words: Sequence[str], option: str) -> tuple[list[str], list[str]]:
    """Return the values that an option is given, as the next word or after ``=``, and the other words.

    A value that is missing is empty.

    >>> take_values(["predict", "--plugins", "a.py", "--config=b.yaml", "--plugins=c.py"], "--plugins")
    (['a.py', 'c.py'], ['predict', '--config=b.yaml'])
    """
    values: list[str] = []
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.partition("=")
        if name == option:
            values.append(value if equals else next(waiting, ""))
        else:
            rest.append(word)
    return values, rest
