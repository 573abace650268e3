"""One seed for a run: ``--seed_everything`` and the seed of the system are the same number."""

from typing import Any

from mkbench.errors import UsageError


def unify_seeds(config: Any) -> None:
    """Give the run and its system one seed, whichever of the two was set.

    A seed of the data, such as that of rendered images, says which images there are and is left alone.

    Args:
        config: the parsed configuration of a subcommand; ``seed_everything`` is False where it was not given.

    Raises:
        UsageError: both were set, to different numbers.

    >>> from jsonargparse import Namespace
    >>> config = Namespace(seed_everything=5, model=Namespace(init_args=Namespace(seed=0)))
    >>> unify_seeds(config)
    >>> config.model.init_args.seed
    5
    """
    given = config.get("seed_everything", False)
    of_run = None if isinstance(given, bool) else given
    settings = (config.get("model") or {}).get("init_args") or {}
    of_model = settings.get("seed")
    if of_run is not None and of_model and of_model != of_run:
        raise UsageError(
            f"Expected one seed for the run, found --seed_everything {of_run} and --model.seed {of_model}; leave one "
            "of them out."
        )
    seed = of_run if of_run is not None else of_model or 0
    config["seed_everything"] = seed
    if of_model is not None:
        settings["seed"] = seed
