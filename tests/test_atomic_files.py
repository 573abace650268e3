import shutil
from pathlib import Path

import pytest

from mkbench.atomic_files import temporary_folder, written_whole


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


def test_folder_that_is_not_renamed_is_deleted(tmp_path: Path) -> None:
    place = tmp_path / "new" / "kept"
    with pytest.raises(OSError, match="disk full"), temporary_folder(place) as temporary:
        raise OSError(f"disk full: {temporary}")
    assert list(place.parent.iterdir()) == []


def test_folder_begins_empty_and_takes_its_place(tmp_path: Path) -> None:
    for _ in range(2):  # the second time, the first one's content must not come back
        with temporary_folder(tmp_path / "kept") as temporary:
            assert list(temporary.iterdir()) == []
            (temporary / "a.txt").write_text("whole")
            shutil.rmtree(tmp_path / "kept", ignore_errors=True)
            temporary.rename(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
