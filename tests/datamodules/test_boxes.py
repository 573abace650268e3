from __future__ import annotations

from pathlib import Path

import pytest

from mkbench.datamodules.boxes import read_boxes
from mkbench.errors import DataError, UsageError

HEADER = "class,file,x_min,y_min,x_max,y_max\n"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "boxes.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_table_with_a_header(tmp_path: Path) -> None:
    text = HEADER + "owl,1.png,0,1,9,7\nbat,2.png,3,3,3,3\n\nowl,1.png,2,2,4,4\n"
    assert read_boxes(write(tmp_path, text)) == {
        "owl/1.png": ((0, 1, 9, 7), (2, 2, 4, 4)),
        "bat/2.png": ((3, 3, 3, 3),),
    }


def test_columns_in_another_order_and_more_of_them(tmp_path: Path) -> None:
    text = 'x_max,score,y_max, file,x_min,y_min,class\n9,0.5,7,"a, b.png", 0,1,owl\n'
    assert read_boxes(write(tmp_path, "\ufeff" + text)) == {"owl/a, b.png": ((0, 1, 9, 7),)}


def test_annotations_of_tiny_imagenet(tmp_path: Path) -> None:
    text = "val_0.JPEG\tn03444034\t0\t32\t44\t62\nval_1.JPEG\tn04067472\t52\t55\t57\t59\n"
    assert read_boxes(write(tmp_path, text)) == {
        "n03444034/val_0.JPEG": ((0, 32, 44, 62),),
        "n04067472/val_1.JPEG": ((52, 55, 57, 59),),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected boxes in .*, as CSV with the header class,file,.*, found ''"),
        ("owl,1.png,0,1,9,7\n", r"as lines of six values with tabs between them .*, found 'owl,1\.png,0,1,9,7'"),
        (HEADER, "Expected boxes in .*, found none"),
        (HEADER + "owl,1.png,0,1,9\n", r"four whole numbers at .*boxes\.csv, line 2, found 'owl, 1\.png, 0, 1, 9'"),
        (HEADER + "owl,1.png,0,1,9,7.5\n", "four whole numbers at .*, line 2, found"),
        (
            HEADER + "owl,1.png,0,1,9,7\nowl,1.png,5,1,4,7\n",
            r"0 <= x_min <= x_max .*, line 3, found owl/1\.png 5 1 4 7",
        ),
        (HEADER + "owl,1.png,-1,1,4,7\n", r"found owl/1\.png -1 1 4 7"),
        (HEADER + "owl,../1.png,0,1,4,7\n", r"Expected an image below --data\.root .* found owl/\.\./1\.png"),
        ("a\tb\t1\t2\t3\n", "as lines of six values with tabs"),
        ("a\tb\t1\t2\t3\t4\nc\td\t1\t2\t3\n", "four whole numbers at .*, line 2"),
        (b"\xff\xfe\x00", "Expected boxes as UTF-8 text"),
    ],
)
def test_what_is_no_box_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_boxes(write(tmp_path, text))


def test_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Expected a file of boxes at .*none\.csv, found none; check --data\.boxes"):
        read_boxes(tmp_path / "none.csv")
