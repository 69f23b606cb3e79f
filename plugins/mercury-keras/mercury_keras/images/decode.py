"""One image, from the bytes of its file into its place in a batch.

Pillow decodes, or what `fast` finds for a plain image; torch, where it is loaded anyway, resizes what is RGB: its
kernel gives what Pillow's does to within 1 of 255, in a third of the time. A large JPEG is decoded at a half, a quarter
or an eighth of its size, as long as twice the size that is wanted is left of it: that moves the pixels of a photograph
by less than 2 of 255 in the mean.
"""

from __future__ import annotations

import sys
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from mercury_core.errors import MercuryError, ReadError
from mercury_keras.images import fast

if TYPE_CHECKING:
    from pathlib import Path

    from mercury_keras.specs import ImageSpec

    Array = np.ndarray[Any, Any]
    Box = tuple[int, int, int, int]
    Size = tuple[int, int]

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
# Those that torch has as well, with or without smoothing, as Pillow computes them.
_OF_TORCH = {("bilinear", True), ("bilinear", False), ("bicubic", True)}
# How many times the size that is wanted a JPEG is decoded at, at least.
_GAP = 2
_TODO = "Replace it, take it out, or read the images with invalid: skip."


def decode(source: str | Path | bytes, image: ImageSpec, out: Array, name: str = "") -> None:
    """Decode an image into an array.

    Of a file of several images it is the first. What the EXIF data says of turning it is not done, as Keras does not;
    transparency is dropped where `image` has no channel for it; 16 bits become 8.

    Args:
        source: The path of a file, or what such a file holds.
        image: How.
        out: Height × width × channels of any number type, for numbers from 0 to 255.
        name: What to call it in errors; the path by default.

    Raises:
        ReadError: It is missing, damaged or no image; names it.
    """
    from PIL import Image, UnidentifiedImageError

    name = name or ("an image" if isinstance(source, bytes) else str(source))
    mode = _MODES[image.color_mode]
    try:
        data = source if isinstance(source, bytes) else _read(source, name)
        # Reduced, it would be smoothed.
        least = partial(_least, image) if image.antialias and image.interpolation != "nearest" else None
        if (pixels := fast.pixels(data, mode, least, not image.antialias)) is not None:
            _fill(pixels, image, out)
            return
        with Image.open(BytesIO(data)) as opened:
            if least is not None:
                opened.draft(mode, least(opened.size))
            _fill(_in_mode(opened, mode, name), image, out)
    except MercuryError:
        raise
    except UnidentifiedImageError:
        raise ReadError(name, "it is damaged, or no image that Pillow knows", _TODO) from None
    except Exception as error:
        said = (str(error) or type(error).__name__).splitlines()[0].replace("\\", "/").rstrip(".")
        raise ReadError(name, f"it is damaged, or no image that Pillow knows ({said})", _TODO) from error


def _read(path: str | Path, name: str) -> bytes:
    try:
        # Without a buffer: the whole file is wanted, and a small one costs more to buffer than to read.
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except FileNotFoundError:
        raise ReadError(name, "there is no such file", _TODO) from None
    except OSError as error:
        raise ReadError(name, f"it cannot be read ({error.strerror})", "Make it readable.") from error


def _least(image: ImageSpec, size: Size) -> Size:
    """How large a JPEG of that size has to be decoded, at least."""
    if image.fit == "stretch":
        return image.width * _GAP, image.height * _GAP
    ratios = image.width / size[0], image.height / size[1]
    ratio = (max if image.fit == "crop" else min)(ratios) * _GAP
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def _in_mode(opened: Any, mode: str, name: str) -> Any:
    """The picture in one of the three modes that batches are made of."""
    from PIL import Image

    opened.load()
    if opened.mode == mode:
        return opened
    if opened.mode.startswith("I"):
        numbers = np.asarray(opened)
        if opened.mode == "I" and (opened.format not in ("PNG", "PPM") or numbers.min() < 0 or numbers.max() > 0xFFFF):
            raise ReadError(name, "its pixels have 32 bits: expected 8 or 16", "Convert it, or take it out.")
        opened = Image.fromarray((numbers >> 8).astype(np.uint8))
    elif opened.mode == "F":
        raise ReadError(name, "its pixels are floats, of no known range: expected 8 or 16 bits", "Convert it.")
    elif opened.mode in ("P", "PA"):
        opened = opened.convert("RGBA" if "transparency" in opened.info or opened.mode == "PA" else "RGB")
    return opened.convert(mode)


def _fill(picture: Any, image: ImageSpec, out: Array) -> None:
    """Bring a picture, of Pillow or as an array, to its size, and into the array."""
    from PIL import Image

    is_array = isinstance(picture, np.ndarray)
    width, height = picture.shape[1::-1] if is_array else picture.size
    size, box = (image.width, image.height), (0, 0, width, height)
    if image.fit == "crop":
        wide, high = min(width, round(height * size[0] / size[1])), min(height, round(width * size[1] / size[0]))
        left, top = (width - max(1, wide)) // 2, (height - max(1, high)) // 2
        box = (left, top, left + max(1, wide), top + max(1, high))
    elif image.fit == "pad":
        ratio = min(size[0] / width, size[1] / height)
        size = max(1, round(width * ratio)), max(1, round(height * ratio))
        out[...] = 0
        left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
        out = out[top : top + size[1], left : left + size[0]]
    if (box[2] - box[0], box[3] - box[1]) != size:
        if image.color_mode == "rgb" and (image.interpolation, image.antialias) in _OF_TORCH and "torch" in sys.modules:
            _resize_by_torch(picture, size, box, image, out)
            return
        # Cut out first: what is outside must not be seen at the edges, as torch does not see it.
        cut = _cut(Image.fromarray(picture) if is_array else picture, box)
        way = getattr(Image.Resampling, image.interpolation.upper())
        if image.antialias or image.interpolation == "nearest":
            picture = cut.resize(size, way)
        else:
            scale = cut.width / size[0], 0, 0, 0, cut.height / size[1], 0
            picture = cut.transform(size, Image.Transform.AFFINE, scale, way)
    else:
        picture = picture[box[1] : box[3], box[0] : box[2]] if is_array else _cut(picture, box)
    pixels = np.asarray(picture)
    out[...] = pixels[..., None] if pixels.ndim == 2 else pixels


def _cut(picture: Any, box: Box) -> Any:
    return picture if box == (0, 0, *picture.size) else picture.crop(box)


def _resize_by_torch(picture: Any, size: Size, box: Box, image: ImageSpec, out: Array) -> None:
    import torch

    rows = _pixels(picture)[:, box[1] : box[3], box[0] : box[2]].permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(
        rows, (size[1], size[0]), mode=image.interpolation, antialias=image.antialias
    )[0].numpy()
    if rows.shape[1] == 3:
        # It lies in memory as it is wanted.
        out[...] = resized.transpose(1, 2, 0)
        return
    # Channel by channel: NumPy is four times slower with three of four.
    for channel in range(3):
        out[..., channel] = resized[channel]


def _pixels(picture: Any) -> Any:
    """A picture of RGB as a tensor of 1 × height × width × 4, with the memory of Pillow where it lends it; else × 3."""
    import torch

    if isinstance(picture, np.ndarray):
        return torch.from_numpy(picture)[None]
    width, height = picture.size
    if hasattr(picture, "__arrow_c_array__"):
        import pyarrow as pa

        try:
            return torch.from_dlpack(pa.array(picture).values).view(1, height, width, 4)
        except ValueError:  # a large one lies in several pieces
            pass
    return torch.from_numpy(np.array(picture)).view(1, height, width, 3)
