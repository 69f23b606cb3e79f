"""The fast way for what most images are: simplejpeg for JPEG and OpenCV for PNG, each where it is installed.

They give the very pixels of Pillow, in less time. What is not plain, or what they do not take as it is, is left to
Pillow altogether: so it is Pillow that says what an image means and which are refused, with them or without.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]
    Size = tuple[int, int]

_JPEG = b"\xff\xd8\xff"
_JPEG_COLOURS = {"L": "GRAY", "RGB": "RGB"}
# By mode, the colours of the files that are taken.
_JPEG_KINDS = {"L": "Gray", "RGB": "YCbCr"}
# What Pillow divides the sides of a JPEG by, as it decodes.
_REDUCTIONS = (8, 4, 2, 1)

_PNG = b"\x89PNG\r\n\x1a\n"
# By mode: 8 bits a channel, which channels, the one compression, the one filtering, row after row.
_PNG_KINDS = {"L": b"\x08\x00\x00\x00\x00", "RGB": b"\x08\x02\x00\x00\x00"}
# The chunks before the pixels that mean nothing for them.
_PNG_REMARKS = {b"IHDR", b"sRGB", b"gAMA", b"cHRM", b"pHYs", b"tIME", b"bKGD", b"eXIf", b"tEXt"}
# What a whole PNG ends with: OpenCV may make a picture of a part of one, which Pillow refuses.
_END_OF_PNG = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82"
# The first that gives colours in the order of everybody else.
_OPENCV = (4, 11)


@cache
def simplejpeg() -> Any:
    """The package simplejpeg; None where it is not installed."""
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg


@cache
def opencv() -> Any:
    """The package OpenCV; None where it is not installed, or too old."""
    try:
        import cv2
    except ImportError:
        return None
    return cv2 if tuple(int(part) for part in cv2.__version__.split(".")[:2]) >= _OPENCV else None


def pixels(data: bytes, mode: str, least: Callable[[Size], Size] | None = None, hasty: bool = False) -> Array | None:
    """The pixels of a plain JPEG or PNG: of 8 bits, grey or in colours, without transparency or palette.

    Args:
        data: What its file holds.
        mode: The mode that it is wanted in, as Pillow names them.
        least: Of the width and height of a JPEG, how large it is to be decoded at least, as Pillow's ``draft`` takes
            it; None decodes the whole.
        hasty: Whether a JPEG is decoded the way that TensorFlow does, faster than Pillow and less exact: by some 1 of
            255 in the mean.

    Returns:
        Height × width (mode ``L``) or height × width × 3 (``RGB``) of uint8; None where Pillow has to decode.
    """
    if mode == "RGBA":
        return None
    if data.startswith(_JPEG):
        return None if (package := simplejpeg()) is None else _of_jpeg(package, data, mode, least, hasty)
    if data.startswith(_PNG):
        return None if (package := opencv()) is None else _of_png(package, data, mode)
    return None


def _of_jpeg(package: Any, data: bytes, mode: str, least: Callable[[Size], Size] | None, hasty: bool) -> Array | None:
    try:
        # Its strict way refuses more than Pillow does, which then has its say.
        height, width, colours, _ = package.decode_jpeg_header(data)
        # Of colours, Pillow takes the brightness as it is in the file only where it may choose how it decodes.
        taken = colours == _JPEG_KINDS[mode] or (mode == "L" and colours == "YCbCr" and least is not None)
        if not taken or _is_large(width, height):
            return None
        if least is not None:
            wide, high = least((width, height))
            ratio = min(width // wide, height // high)
            by = next((by for by in _REDUCTIONS if by <= ratio), 1)
            width, height = -(-width // by), -(-height // by)
        found: Array = package.decode_jpeg(data, _JPEG_COLOURS[mode], fastdct=hasty, min_width=width, min_height=height)
    except ValueError:
        return None
    # A picture of another size would not be what Pillow reads of this file.
    if found.shape[:2] != (height, width):
        return None
    return found[..., 0] if mode == "L" else found


def _of_png(package: Any, data: bytes, mode: str) -> Array | None:
    if data[24:29] != _PNG_KINDS[mode] or not data.endswith(_END_OF_PNG) or not _is_plain(data):
        return None
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if _is_large(width, height):
        return None
    flags = package.IMREAD_IGNORE_ORIENTATION
    flags |= package.IMREAD_COLOR_RGB if mode == "RGB" else package.IMREAD_GRAYSCALE
    try:
        found: Array | None = package.imdecode(np.frombuffer(data, np.uint8), flags)
    except package.error:
        return None
    return found if found is not None and found.shape[:2] == (height, width) else None


def _is_plain(data: bytes) -> bool:
    """Whether all that a PNG has before its pixels is whole, and says nothing of them."""
    place = len(_PNG)
    while (name := data[place + 4 : place + 8]) in _PNG_REMARKS:
        end = place + 8 + int.from_bytes(data[place : place + 4])
        if zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4]):
            return False
        place = end + 4
    return name == b"IDAT"


def _is_large(width: int, height: int) -> bool:
    """Whether Pillow warns of, or refuses, that many pixels."""
    from PIL import Image

    return Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS
