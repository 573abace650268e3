import numpy as np

from mkbench.datamodules.critters_draws import StageDraws


def test_first_drawing_takes_the_numbers_of_the_generator_in_their_order():
    draws, rng = StageDraws(np.random.default_rng(3)), np.random.default_rng(3)
    drawn = [draws.at(stage).random() for stage in ("pose", "markings", "light")]
    assert drawn == [rng.random() for _ in range(3)]


def test_stages_of_a_second_drawing_do_not_depend_on_each_other():
    draws = StageDraws(np.random.default_rng(3))
    first = [draws.at("markings").random(), draws.at("light").normal(size=3).tolist()]
    draws.at("markings").integers(0, 9, 100)
    assert draws.at("light").normal(size=3).tolist() == first[1]
    assert draws.at("markings").random() == first[0]
