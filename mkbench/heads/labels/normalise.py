"""Property labels in one spelling: lower case, no punctuation, singular."""

import unicodedata

# Plurals that follow no rule, or a rule of their own.
_IRREGULAR = {
    "axes": "axis",
    "buses": "bus",
    "calves": "calf",
    "children": "child",
    "cookies": "cookie",
    "elves": "elf",
    "feet": "foot",
    "gases": "gas",
    "geese": "goose",
    "halves": "half",
    "hooves": "hoof",
    "knives": "knife",
    "leaves": "leaf",
    "lenses": "lens",
    "lives": "life",
    "loaves": "loaf",
    "men": "man",
    "mice": "mouse",
    "movies": "movie",
    "oases": "oasis",
    "people": "person",
    "scarves": "scarf",
    "selfies": "selfie",
    "shelves": "shelf",
    "shoes": "shoe",
    "statuses": "status",
    "teeth": "tooth",
    "thieves": "thief",
    "toes": "toe",
    "viruses": "virus",
    "wives": "wife",
    "wolves": "wolf",
    "women": "woman",
    "zombies": "zombie",
}
_SAME = {"atlas", "canvas", "chaos", "christmas", "clothes", "cosmos", "lens", "news", "series", "species"}
# Endings of words that are no plurals: glass, focus, emphasis, physics.
_NO_PLURAL = ("ss", "us", "is", "ics")
# Endings whose plural has an e of its own: boxes, dishes, churches, dresses, potatoes.
_WITH_E = ("xes", "shes", "ches", "sses", "oes")


def singular(word: str) -> str:
    """Return the singular of an English noun; a word that looks like none stays as it is.

    Args:
        word: one word in lower case.

    Example:
        >>> [singular(word) for word in ("animals", "cities", "boxes", "houses", "people", "glass", "focus", "physics")]
        ['animal', 'city', 'box', 'house', 'person', 'glass', 'focus', 'physics']
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _SAME or len(word) < 4 or not word.endswith("s") or word.endswith(_NO_PLURAL):
        return word
    if word.endswith("ies") and len(word) > 4:  # not pies, ties
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(_WITH_E) else word[:-1]


def normalise_label(text: str) -> str:
    """Return a label in lower case, without punctuation, its last word in the singular.

    Signs between words (hyphen, underscore, slash) become spaces, others go.

    Args:
        text: any label.

    Returns:
        The label; empty if no letter or digit is left.

    Example:
        >>> [normalise_label(text) for text in ("Locations.", " *Body-Parts* ", "Children's toys", "?")]
        ['location', 'body part', 'childrens toy', '']
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    spaced = "".join(sign if sign.isalnum() else " " if sign in "-_/\u2013\u2014" else sign for sign in folded)
    words = ["".join(filter(str.isalnum, word)) for word in spaced.split()]
    words = [word for word in words if word]
    return " ".join([*words[:-1], *map(singular, words[-1:])])
