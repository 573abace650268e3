import pytest
import torch

from mkbench.datamodules.critters_captions import CaptionedImage, CrittersCaptions
from mkbench.datamodules.critters_world import load_world, render, render_wild
from mkbench.datamodules.resizing import resize_squash
from mkbench.errors import UsageError


@pytest.fixture(scope="module")
def captions():
    data = CrittersCaptions(
        image_size=32, train_per_class=1, train_wild=3, val_per_class=2, batch_size=10, render_workers=0
    )
    data.setup("fit")
    return data


def test_validation_images_in_order(captions):
    batches = [CaptionedImage(*batch) for batch in captions.val_dataloader()]
    captioned = CaptionedImage(*(torch.cat(column) for column in zip(*batches, strict=True)))
    world = load_world()
    assert captioned.image.shape == captioned.marked.shape == (64, 3, 32, 32)
    assert captioned.image.dtype == captioned.marked.dtype == torch.uint8
    assert captioned.class_index.tolist() == [index for index in range(32) for _ in range(2)]
    for position in (0, 1, 63):
        critter = render(world.class_names[position // 2], position % 2, split="val")
        expected = resize_squash(torch.from_numpy(critter.image).permute(2, 0, 1), 32)
        assert torch.equal(captioned.image[position], expected)
        assert torch.equal(captioned.ground_truth[position], torch.from_numpy(critter.ground_truth))


def test_marked_images_speak_of_one_visible_part(captions):
    descriptors = load_world().descriptors
    for batch in captions.val_dataloader():
        captioned = CaptionedImage(*batch)
        assert not (captioned.marked_ground_truth & ~captioned.ground_truth).any()
        for ground_truth, marked in zip(captioned.ground_truth, captioned.marked_ground_truth, strict=True):
            (part,) = {descriptors[i].part for i in marked.nonzero().flatten()}
            assert part not in ("background", "none")
            of_part = torch.tensor([entry.part == part for entry in descriptors])
            assert torch.equal(marked, ground_truth & of_part)
        changed = (captioned.marked != captioned.image).flatten(1).any(1)
        assert changed.float().mean() > 0.9  # all but parts too small to be seen at this size


def test_training_batches_are_whole_and_shuffled(captions):
    batches = [CaptionedImage(*batch) for batch in captions.train_dataloader()]
    assert [len(batch.image) for batch in batches] == [10, 10, 10]
    served = torch.cat([batch.class_index for batch in batches]).tolist()
    assert len({index for index in served if index >= 0}) == len([index for index in served if index >= 0])
    assert served != sorted(served)


def test_wild_animals_follow_the_classes(captions):
    cached = CaptionedImage(*captions._cache["train"].tensors)
    assert cached.class_index.tolist() == [*range(32), -1, -1, -1]
    for index in range(3):
        assert torch.equal(cached.ground_truth[32 + index], torch.from_numpy(render_wild(index).ground_truth))


def test_images_are_rendered_once(captions):
    cached = dict(captions._cache)
    captions.setup("fit")
    assert all(captions._cache[split] is data for split, data in cached.items())


def test_train_and_validation_images_differ():
    assert (render("blorp", 0, split="train").image != render("blorp", 0, split="val").image).any()


@pytest.mark.parametrize("option", ["image_size", "train_per_class", "val_per_class", "batch_size"])
def test_numbers_below_one(option):
    with pytest.raises(UsageError, match=rf"--data\.{option} to be at least 1, found 0"):
        CrittersCaptions(**{option: 0})


def test_too_few_images_for_a_batch():
    CrittersCaptions(train_per_class=1, train_wild=0, batch_size=32)
    with pytest.raises(UsageError, match=r"--data\.batch_size to be at most the 32 training images, found 33; lower"):
        CrittersCaptions(train_per_class=1, train_wild=0, batch_size=33)
