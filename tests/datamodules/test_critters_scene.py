import numpy as np
import pytest

from mkbench.datamodules.critters_draws import StageDraws
from mkbench.datamodules.critters_scene import draw_scene
from mkbench.datamodules.critters_world import load_world

SIZE = 320
SCENE = {"sky": "day", "ground": "rock", "thing": "none"}


def draw(seed=0, size=SIZE, **changes):
    return draw_scene(size, SCENE | changes, StageDraws(np.random.default_rng(seed)))


def horizon(seed):
    # The first number drawn places the horizon.
    return int(SIZE * np.random.default_rng(seed).uniform(0.5, 0.72))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sky_is_above_the_horizon_and_ground_below(seed):
    plain = draw(seed).astype(int)
    sky = (draw(seed, sky="dusk") != plain).any(axis=2)
    ground = (draw(seed, ground="snow") != plain).any(axis=2)
    assert sky[: horizon(seed)].mean() > 0.99
    assert not sky[horizon(seed) :].any()
    assert not ground[: horizon(seed)].any()
    assert ground[horizon(seed) :].all()


def test_night_is_dark_and_has_stars():
    night, day = draw(sky="night"), draw()
    assert night.mean() < 0.5 * day.mean()
    stars = (night == (255, 255, 230)).all(axis=2)
    assert stars[: horizon(0) + 3].any()
    assert not stars[horizon(0) + 3 :].any()


@pytest.mark.parametrize("thing", [thing for thing in load_world().scene["thing"] if thing != "none"])
def test_things_are_seen_and_leave_the_rest_alone(thing):
    for seed in range(4):  # both sides
        changed = (draw(seed, thing=thing) != draw(seed)).any(axis=2)
        assert 0.005 < changed.mean() < 0.2


@pytest.mark.parametrize("ground", load_world().scene["ground"])
def test_every_ground_under_every_sky(ground):
    images = [draw(sky=sky, ground=ground) for sky in load_world().scene["sky"]]
    assert all(image.shape == (SIZE, SIZE, 3) and image.dtype == np.uint8 for image in images)
    assert len({image.tobytes() for image in images}) == 4


def test_same_generator_same_scene():
    assert np.array_equal(draw(3, thing="tree"), draw(3, thing="tree"))
    assert not np.array_equal(draw(3), draw(4))
