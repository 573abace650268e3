import pytest

from mkbench.datamodules import Critters
from mkbench.datamodules.backgrounds import find_backgrounds
from mkbench.errors import UsageError


def test_a_part_of_the_data_tells_its_backgrounds_too(tmp_path):
    file = tmp_path / "samples.txt"
    file.write_text("background/zindle/0001\nbackground/blorp/0001\n")
    data = Critters(split="background", images_per_class=2, samples=file)
    source = find_backgrounds(data.source, of=data.name)
    told = [source.background(spec.class_index, spec.sample_ids[0]) for spec in data.specs if spec.sample_ids]
    assert told == ["water", "land"]
    assert [source.habitat(index) for index in (0, 1)] == ["land", "water"]


def test_other_data_is_refused():
    with pytest.raises(UsageError, match=r"tells the background of its images, found photos, .* `habitat` and"):
        find_backgrounds("a source without backgrounds", of="photos")
