"""What several tests read: the configurations, and descriptors for generated folders."""

from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
#: Descriptors for generated folders of images; few, so that tests stay fast.
DESCRIPTORS = [
    f"{size} {colour} {part}"
    for size in ("a long", "a short")
    for colour in ("red", "blue", "green")
    for part in ("tail", "ear", "leg", "wing")
]
