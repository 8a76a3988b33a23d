"""A reader's own images: class folders, odd files, and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers import datasets
from helpers.datasets import DataError


def picture(path, size=(20, 10), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    Image.fromarray(pixels, "RGBA").convert(mode).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    for name in ("cats", "dogs"):
        for i in range(3):
            picture(tmp_path / name / f"{i}.png")
    return tmp_path


def test_classes_are_the_folders_in_alphabetical_order(folder, capsys):
    picture(folder / "birds" / "a.png")
    own = datasets.image_folder(folder)
    assert own.class_names == ["birds", "cats", "dogs"]
    assert own.labels.tolist() == [0, 1, 1, 1, 2, 2, 2] and own.labels.dtype == np.int64
    assert [image.shape for image in own.images] == [(10, 20, 3)] * 7
    assert all(image.dtype == np.uint8 for image in own.images)
    assert own.skipped == [] and capsys.readouterr().out == ""


def test_a_path_may_be_a_string(folder):
    assert len(datasets.image_folder(str(folder)).images) == 6


def test_pixels_are_those_of_the_file(folder):
    with Image.open(folder / "cats" / "0.png") as file:
        expected = np.asarray(file)
    assert np.array_equal(datasets.image_folder(folder).images[0], expected)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA"])
def test_gray_transparent_and_palette_images_become_rgb(folder, mode):
    picture(folder / "cats" / "odd.png", mode=mode)
    assert datasets.image_folder(folder).images[3].shape == (10, 20, 3)


def test_below_transparent_pixels_is_white(folder):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    clear.putpixel((0, 0), (0, 0, 255, 255))
    clear.save(folder / "cats" / "odd.png")
    found = datasets.image_folder(folder).images[3]
    assert found[0, 0].tolist() == [0, 0, 255] and (found[1:] == 255).all()


def test_of_an_animation_the_first_picture_is_used_and_the_rest_named(folder, capsys):
    pictures = [Image.new("L", (8, 8), value) for value in (10, 90, 200)]
    pictures[0].save(folder / "cats" / "moving.gif", save_all=True, append_images=pictures[1:])
    own = datasets.image_folder(folder)
    assert len(own.images) == 7 and "moving.gif (pictures 2 to 3 in it)" in capsys.readouterr().out


def test_the_parts_of_a_data_set_are_no_classes(folder):
    for part, name in (("train", "cats"), ("val", "dogs")):
        (folder / name).rename(folder / part)
    with pytest.raises(DataError, match=r"parts of a data set, not classes: give \S*train"):
        datasets.image_folder(folder)


def test_what_a_mac_adds_to_an_archive_is_no_class(folder):
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._0.png").write_bytes(b"x")
    assert datasets.image_folder(folder).class_names == ["cats", "dogs"]


def test_a_path_may_begin_at_home(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert len(datasets.image_folder(f"~/{folder.name}").images) == 6


def test_a_folder_for_downloads_that_cannot_be_made_is_named(folder):
    file = folder / "cats" / "0.png"
    with pytest.raises(DataError, match=r"0\.png.*; set BOOK_DATA to a folder"):
        datasets.download("http://localhost:9/x", file / "deep" / "x", "0" * 64)


def test_a_camera_that_was_held_upright_is_turned(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it as it was taken
    picture(folder / "cats" / "turned.jpg", exif=exif)
    assert datasets.image_folder(folder).images[3].shape == (20, 10, 3)


def test_large_images_are_shrunk_and_small_ones_left(folder):
    picture(folder / "cats" / "large.jpg", size=(1200, 300))
    images = datasets.image_folder(folder, largest=400).images
    assert images[3].shape == (100, 400, 3) and images[0].shape == (10, 20, 3)


def damaged():
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((50, 50, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()[:60]


@pytest.mark.parametrize(
    ("name", "content"),
    [("notes.txt", b"a list"), ("empty.jpg", b""), ("cut.png", damaged()), ("page.jpg", b"<html>")],
)
def test_unreadable_files_are_named_and_left_out(folder, capsys, name, content):
    reasons = {"empty.jpg": "an empty file", "cut.png": "a damaged image"}
    (folder / "dogs" / name).write_bytes(content)
    own = datasets.image_folder(folder)
    assert len(own.images) == 6
    [(path, why)] = own.skipped
    assert path == folder / "dogs" / name
    assert why.startswith(reasons.get(name, "not an image")) and "0x" not in why
    printed = capsys.readouterr().out
    assert "left out" in printed and str(path) in printed


def test_folders_inside_a_class_are_read_too(folder):
    picture(folder / "dogs" / "images" / "small" / "a.png")
    picture(folder / "eels" / "images" / "a.png")
    (folder / "dogs" / "images" / "b.png").write_bytes(b"text")
    (folder / "dogs" / "again").symlink_to(folder / "dogs")  # read once, and it ends
    (folder / "dogs" / "lost.png").symlink_to(folder / "nowhere.png")
    own = datasets.image_folder(folder)
    assert own.labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    left_out = {path.relative_to(folder / "dogs").as_posix(): why for path, why in own.skipped}
    assert left_out.pop("lost.png") == "a broken link"
    assert list(left_out) == ["images/b.png"]


def test_a_file_beside_the_class_folders_is_named(folder, capsys):
    (folder / "LICENSE.txt").write_text("free")
    assert datasets.image_folder(folder).skipped == [(folder / "LICENSE.txt", "in no class folder")]
    assert "LICENSE.txt" in capsys.readouterr().out


def test_hidden_files_and_folders_are_ignored(folder):
    (folder / ".git").mkdir()
    (folder / "cats" / ".DS_Store").write_bytes(b"\0")
    own = datasets.image_folder(folder)
    assert own.skipped == [] and own.class_names == ["cats", "dogs"]


def test_fewer_than_two_classes_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"has 0 class folders; it needs"):
        datasets.image_folder(tmp_path)
    picture(tmp_path / "cats" / "0.png")
    with pytest.raises(DataError, match=r"has 1 class folders; it needs"):
        datasets.image_folder(tmp_path)


def test_a_path_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="nowhere is no folder; give the folder that has"):
        datasets.image_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("only_damaged", [False, True])
def test_a_class_without_a_readable_image_is_refused_by_name(folder, only_damaged):
    (folder / "eels").mkdir()
    if only_damaged:
        (folder / "eels" / "a.jpg").write_bytes(b"not an image")
    why = "not an image, or .*" if only_damaged else "it is empty"
    with pytest.raises(DataError, match=rf"eels has no readable image \({why}\); add some"):
        datasets.image_folder(folder)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_images_of_more_than_eight_bits_are_named_and_left_out(folder, dtype):
    deep = Image.fromarray(np.linspace(0, 1, 200).reshape(10, 20).astype(dtype))
    deep.save(folder / "cats" / "deep.tiff")
    own = datasets.image_folder(folder)
    assert len(own.images) == 6
    assert own.skipped[0][0].name == "deep.tiff" and "save it with 8 bits" in own.skipped[0][1]


@pytest.mark.parametrize(
    "names",
    [("K\u00e4fer", "Ka\u0308fer"), ("eels", "eels ")],
    ids=["two ways to write an accent", "a space"],
)
def test_a_class_in_two_folders_is_refused(folder, names):
    for name in names:
        picture(folder / name / "0.png")
    with pytest.raises(DataError, match="are one class, written in two ways: join them"):
        datasets.image_folder(folder)


@pytest.mark.parametrize("largest", ["64", 0, 2.5, True])
def test_a_senseless_largest_is_not_blamed_on_the_images(folder, largest):
    with pytest.raises(ValueError, match=r"largest=.*give a whole number of pixels from 1"):
        datasets.image_folder(folder, largest)
