from pathlib import Path

import pytest

from mkbench.files import written_whole


def test_file_takes_its_place_and_nothing_stays_behind(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with written_whole(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert [(entry.name, entry.read_text()) for entry in path.parent.iterdir()] == [("a.txt", "whole")]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_error_leaves_the_earlier_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("earlier")

    def break_off() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("hal")
            raise error

    with pytest.raises(type(error)):
        break_off()
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("a.txt", "earlier")]


def test_folder_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"), written_whole(tmp_path / "file" / "a.txt"):
        pass
