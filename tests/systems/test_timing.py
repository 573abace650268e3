from __future__ import annotations

import torch

from mkbench.systems.timing import StageClock, random_texts, rendered_group


def test_clock_adds_up_each_stage() -> None:
    clock = StageClock(torch.device("cpu"))
    clock.now = iter([1.0, 3.0, 10.0, 15.0]).__next__  # type: ignore[method-assign]
    for _ in range(2):
        with clock("render"):
            pass
    assert dict(clock.seconds) == {"render": 7.0}


def test_rendered_images_differ_and_come_out_alike_every_time() -> None:
    group = rendered_group(3, 24, torch.device("cpu"))
    assert (group.images.shape, group.images.dtype) == ((3, 3, 24, 24), torch.uint8)
    assert len({image.numpy().tobytes() for image in group.images}) == 3
    assert torch.equal(group.images, rendered_group(3, 24, torch.device("cpu")).images)


def test_random_texts_are_unit_rows_of_the_size_asked_for() -> None:
    texts = random_texts(8, torch.device("cpu"), classes=3, bank=20, num_language_concepts=5)
    for rows, count in ((texts.classes, 3), (texts.bare, 20), (texts.prompted, 20)):
        assert rows.shape == (count, 8)
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(count))
    assert not torch.equal(texts.bare, texts.prompted)
    # The language concepts of a class are the descriptors nearest to it.
    nearest = (texts.classes.double() @ texts.prompted.double().T).topk(5, dim=1).indices
    assert [sorted(row) for row in texts.language.tolist()] == [sorted(row) for row in nearest.tolist()]
    assert texts.member[:].sum(1).tolist() == [5, 5, 5]
