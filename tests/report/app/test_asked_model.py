from __future__ import annotations

import threading

import pytest
from asked_models import asked_model

from mkbench.errors import DataError, UsageError
from mkbench.report.app.asked_model import ModelShelf


def test_a_model_is_opened_once_for_all_who_ask() -> None:
    opened, said = [], []

    def open_slowly(say):
        say("Opening vit ...")
        opened.append(threading.get_ident())
        return asked_model()

    shelf = ModelShelf({"vit": open_slowly, "rn": lambda say: pytest.fail("nobody asked")})
    threads = [threading.Thread(target=shelf.open, args=("vit", said.append)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    assert said == ["Opening vit ..."]
    assert shelf.open("vit") is shelf.open("vit")
    assert shelf.names == ["vit", "rn"]


def test_a_model_that_cannot_be_opened_is_tried_again() -> None:
    attempts = []

    def refuse(say):
        attempts.append(say)
        raise DataError("Expected a run, found a damaged one.")

    shelf = ModelShelf({"vit": refuse})
    for _ in range(2):
        with pytest.raises(DataError, match="a damaged one"):
            shelf.open("vit")
    assert len(attempts) == 2


def test_a_model_that_is_not_of_the_page() -> None:
    with pytest.raises(UsageError, match="found '/etc/passwd'; known are vit"):
        ModelShelf({"vit": lambda say: asked_model()}).open("/etc/passwd")
