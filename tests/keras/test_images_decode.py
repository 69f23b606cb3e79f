"""One image: modes, sizes, shapes, damage."""

from __future__ import annotations

import sys
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_keras.images import fast
from mercury_keras.images.decode import decode
from mercury_keras.specs import ImageSpec
from PIL import Image

from mercury_core.errors import ReadError

if TYPE_CHECKING:
    from pathlib import Path

GREY = ImageSpec(4, 4, "grayscale")
RGB = ImageSpec(4, 4)
RGBA = ImageSpec(4, 4, "rgba")


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def decoded(source: Any, image: ImageSpec) -> np.ndarray[Any, Any]:
    out = np.full(image.shape, -1, np.float32)
    decode(source, image, out)
    return out


def smooth(width: int, height: int) -> Image.Image:
    """Like a photograph: light that changes slowly, and an edge."""
    across, down = np.meshgrid(np.linspace(0, 3, width), np.linspace(0, 2, height))
    pixels = np.stack([np.sin(across + down), np.cos(across * 2), np.sin(down * 3)], axis=-1) * 90 + 120
    pixels[:, width // 2 :] *= 0.6
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def with_palette() -> Image.Image:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    return picture


@pytest.mark.parametrize(
    ("picture", "rgb"),
    [
        (Image.new("RGB", (4, 4), (10, 20, 30)), (10, 20, 30)),
        (Image.new("RGBA", (4, 4), (10, 20, 30, 0)), (10, 20, 30)),
        (Image.new("L", (4, 4), 7), (7, 7, 7)),
        (Image.new("LA", (4, 4), (7, 0)), (7, 7, 7)),
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
        (Image.new("I;16", (4, 4), 0x0A0B), (10, 10, 10)),
        (with_palette(), (10, 20, 30)),
    ],
    ids=lambda value: getattr(value, "mode", ""),
)
def test_every_mode_becomes_the_one_that_is_asked_for(picture: Image.Image, rgb: tuple[int, ...]) -> None:
    data = encoded(picture)
    assert (decoded(data, RGB) == rgb).all()
    grey = round(0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2])
    assert np.abs(decoded(data, GREY) - grey).max() <= 1
    assert (decoded(data, RGBA)[..., :3] == rgb).all()


def test_transparency_is_kept_in_rgba_and_dropped_else() -> None:
    half = encoded(Image.new("RGBA", (4, 4), (10, 20, 30, 128)))
    assert (decoded(half, RGBA) == (10, 20, 30, 128)).all()
    clear = encoded(with_palette(), transparency=bytes([255, 0]))
    assert (decoded(clear, RGBA) == (10, 20, 30, 0)).all()
    assert (decoded(clear, RGB) == (10, 20, 30)).all()


def test_inks_become_colours() -> None:
    picture = decoded(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"), RGB)
    assert np.abs(picture - (255, 0, 0)).max() < 8


def test_of_several_images_it_is_the_first() -> None:
    frames = [Image.new("RGB", (4, 4), (value, value, value)) for value in (50, 200)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decoded(data, RGB) == 50).all()


def test_floats_and_wide_numbers_are_refused() -> None:
    with pytest.raises(ReadError, match="its pixels are floats"):
        decoded(encoded(Image.new("F", (4, 4), 0.5), "TIFF"), RGB)
    with pytest.raises(ReadError, match="its pixels have 32 bits: expected 8 or 16"):
        decoded(encoded(Image.new("I", (4, 4), 70_000), "TIFF"), RGB)


# --- size and shape ---


def halves() -> bytes:
    """4 × 8: a black half, a white half."""
    picture = Image.new("RGB", (8, 4), (255, 255, 255))
    picture.paste((0, 0, 0), (0, 0, 4, 4))
    return encoded(picture)


def test_the_three_ways_to_bring_another_shape_to_a_square() -> None:
    stretched = decoded(halves(), ImageSpec(4, 4, interpolation="nearest"))
    assert (stretched[:, :2] == 0).all()
    assert (stretched[:, 2:] == 255).all()
    cropped = decoded(halves(), ImageSpec(4, 4, fit="crop"))
    assert (cropped[:, :2] == 0).all()
    assert (cropped[:, 2:] == 255).all()
    padded = decoded(halves(), ImageSpec(8, 8, fit="pad"))
    assert (padded[:2] == 0).all()
    assert (padded[6:] == 0).all()
    assert (padded[2:6, 4:] == 255).all()


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (40, 30)])
def test_any_size_is_filled_to_the_last_pixel(fit: Any, interpolation: Any, size: tuple[int, int]) -> None:
    for given in [(1, 1), (1, 90), (33, 7)]:
        out = decoded(encoded(Image.new("RGB", given, (9, 9, 9))), ImageSpec(*size, "rgb", interpolation, fit))
        assert out.min() >= 0
        if fit != "pad":
            assert (out == 9).all()


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_torch_and_pillow_resize_alike(fit: Any, interpolation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    data, image = encoded(smooth(97, 61)), ImageSpec(40, 50, "rgb", interpolation, fit)
    by_torch = decoded(data, image)
    monkeypatch.delitem(sys.modules, "torch")
    assert np.abs(by_torch - decoded(data, image)).max() <= 1


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_without_smoothing_pixels_are_left_out(fit: Any, interpolation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Stripes of one pixel, three of which make one: smoothed, they are grey.
    stripes = np.zeros((90, 120, 3), np.uint8)
    stripes[:, 1::3] = 255
    data = encoded(Image.fromarray(stripes))
    image = ImageSpec(30, 40, "rgb", interpolation, fit, antialias=False)
    sharp = decoded(data, image)
    assert (sharp == 255).all()
    assert 60 < decoded(data, replace(image, antialias=True)).mean() < 110
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert (decoded(data, image) == sharp).all()
    grey = decoded(data, replace(image, color_mode="grayscale"))
    assert (grey == 255).all()


def test_without_smoothing_torch_and_pillow_resize_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    for form in ("PNG", "JPEG"):
        data, image = encoded(smooth(97, 61), form), ImageSpec(40, 50, antialias=False)
        by_torch = decoded(data, image)
        with monkeypatch.context() as patch:
            patch.delitem(sys.modules, "torch")
            assert np.abs(by_torch - decoded(data, image)).max() <= 1


def test_what_pillow_cannot_lend_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    data, image = encoded(smooth(97, 61)), ImageSpec(40, 50)
    lent = decoded(data, image)

    def refuse(*_: object) -> None:
        raise ValueError("Image is in multiple array blocks, use imcore_new_block for zero copy")

    monkeypatch.setattr(Image.Image, "__arrow_c_array__", refuse, raising=False)
    assert (decoded(data, image) == lent).all()


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_a_large_jpeg_that_is_decoded_small_stays_within_its_tolerance(fit: Any) -> None:
    picture = smooth(1000, 700)
    data = encoded(picture, "JPEG", quality=90)
    image = ImageSpec(100, 120, fit=fit)
    whole = decoded(encoded(Image.open(BytesIO(data))), image)
    reduced = decoded(data, image)
    assert np.abs(reduced - whole).mean() < 2
    assert np.abs(reduced - whole).max() < 25  # at the edge


# --- the fast way ---

PLAIN = [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "L")]


def by_both(data: bytes, image: ImageSpec, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], bool]:
    """What comes of it (pixels or an error) the fast way and by Pillow alone, and whether the fast way was taken."""
    results: list[Any] = []
    taken: list[bool] = []
    real = fast.pixels

    def noted(*given: Any) -> Any:
        found = real(*given)
        taken.append(found is not None)
        return found

    for way in (noted, lambda *_: None):
        with monkeypatch.context() as patch:
            patch.setattr(fast, "pixels", way)
            try:
                results.append(decoded(data, image))
            except ReadError as error:
                results.append(str(error))
    return results, any(taken)


@pytest.mark.parametrize(("form", "mode"), PLAIN)
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_the_fast_way_gives_what_pillow_gives(form: str, mode: Any, fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("simplejpeg" if form == "JPEG" else "cv2")
    for size in [(400, 300), (61, 43), (20, 20)]:
        data = encoded(smooth(*size).convert(mode), form)
        for interpolation in ("bilinear", "lanczos", "nearest"):
            image = ImageSpec(20, 20, "rgb" if mode == "RGB" else "grayscale", interpolation, fit)  # type: ignore[arg-type]
            (ours, of_pillow), taken = by_both(data, image, monkeypatch)
            assert taken
            assert np.abs(ours - of_pillow).max() <= 1


def test_without_smoothing_a_jpeg_is_decoded_as_tensorflow_does(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("simplejpeg")
    data = encoded(smooth(400, 300), "JPEG", quality=90)
    (ours, of_pillow), taken = by_both(data, ImageSpec(300, 400, antialias=False), monkeypatch)
    assert taken
    assert 0 < np.abs(ours - of_pillow).max() <= 10
    assert np.abs(ours - of_pillow).mean() <= 1.5


def test_what_is_not_plain_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    wide = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    for picture, form, options in [
        (with_palette(), "PNG", {}),
        (Image.new("RGBA", (4, 4), (10, 20, 30, 0)), "PNG", {}),
        (Image.new("LA", (4, 4), (7, 0)), "PNG", {}),
        (Image.new("1", (4, 4), 1), "PNG", {}),
        (Image.fromarray(wide), "PNG", {}),
        (Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", {}),
        (smooth(40, 20), "JPEG", {"exif": turned}),
        (smooth(40, 20), "PNG", {"exif": turned}),
        (smooth(40, 20), "PNG", {"transparency": (1, 2, 3)}),
        (smooth(8, 8), "PNG", {"save_all": True, "append_images": [smooth(8, 8).rotate(90)]}),
    ]:
        for image in (GREY, RGB, RGBA):
            ours, of_pillow = by_both(encoded(picture, form, **options), image, monkeypatch)[0]
            assert (ours == of_pillow).all()


def test_colours_of_16_bits_are_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    cv2 = pytest.importorskip("cv2")
    wide = np.random.default_rng(0).integers(0, 1 << 16, (8, 8, 3), dtype=np.uint16)
    (ours, _), taken = by_both(cv2.imencode(".png", wide)[1].tobytes(), ImageSpec(8, 8), monkeypatch)
    assert not taken
    assert (ours == (wide >> 8)[..., ::-1]).all()


@pytest.mark.parametrize(("form", "mode"), PLAIN)
def test_the_fast_way_refuses_what_pillow_refuses(form: str, mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    image = ImageSpec(20, 20, "rgb" if mode == "RGB" else "grayscale")
    whole = encoded(smooth(61, 43).convert(mode), form)
    chance = np.random.default_rng(0)
    for turn in range(150):
        data = bytearray(whole[: chance.integers(1, len(whole))] if turn % 2 else whole)
        for place in chance.integers(0, len(data), turn % 4):
            data[place] = chance.integers(0, 256)
        ours, of_pillow = by_both(bytes(data), image, monkeypatch)[0]
        assert type(ours) is type(of_pillow)
        assert ours == of_pillow if isinstance(ours, str) else np.abs(ours - of_pillow).max() <= 1


# --- bad input ---


def test_a_damaged_image_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    whole = encoded(smooth(60, 40), "JPEG")
    for name, content in [("cut.jpg", whole[: len(whole) // 2]), ("text.png", b"no image"), ("empty.png", b"")]:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ReadError, match=f"{name}: it is damaged, or no image that Pillow knows") as caught:
            decoded(str(path), RGB)
        assert str(caught.value).count("\n") == 0
    with pytest.raises(ReadError, match=r"missing\.png: there is no such file"):
        decoded(str(tmp_path / "missing.png"), RGB)
    with pytest.raises(ReadError, match=r"it cannot be read \(Is a directory\)"):
        decoded(str(tmp_path), RGB)
    with pytest.raises(ReadError, match="the image of row 3"):
        decode(b"no image", RGB, np.empty(RGB.shape), "the image of row 3")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_whatever_the_bytes_are_an_image_or_a_read_error_comes_of_them(form: str) -> None:
    whole = encoded(smooth(30, 20), form)
    chance = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole[: chance.integers(1, len(whole) + 1)])
        for place in chance.integers(0, len(data), 3):
            data[place] = chance.integers(0, 256)
        try:
            decoded(bytes(data), RGB)
        except ReadError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ReadError, match="decompression bomb"):
        decoded(encoded(smooth(60, 40)), RGB)
