"""The fast way for what most images are: simplejpeg for JPEG and OpenCV for PNG, each where it is installed.

They give the very pixels of Pillow, in less time. Pillow still reads the header, and what is not plain, or what they do
not take as it is, is left to it altogether: so it is Pillow that says what an image means and which are refused, with
them or without.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_COLOURS = {"L": "GRAY", "RGB": "RGB"}
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


def pixels(data: bytes, opened: Any, mode: str) -> Array | None:
    """The pixels of a plain JPEG or PNG: of 8 bits, grey or in colours, without transparency or palette.

    Args:
        data: What its file holds.
        opened: The same as Pillow opened it, not loaded; of a JPEG at the size that it is to be decoded at.
        mode: The mode that it is wanted in, as Pillow names them.

    Returns:
        Height × width (mode ``L``) or height × width × 3 (``RGB``) of uint8; None where Pillow has to decode.
    """
    if opened.mode != mode or mode not in _COLOURS:
        return None
    found = None
    if opened.format == "JPEG":
        found = _of_jpeg(data, opened.size, _COLOURS[mode])
    elif opened.format == "PNG" and _is_plain(opened) and data.endswith(_END_OF_PNG):
        found = _of_png(data, mode)
    # A picture of another size would not be what Pillow reads of this file.
    return found if found is not None and found.shape[1::-1] == opened.size else None


def _of_jpeg(data: bytes, size: tuple[int, int], colours: str) -> Array | None:
    if (package := simplejpeg()) is None:
        return None
    try:
        # Its strict way refuses more than Pillow does, which then has its say.
        found: Array = package.decode_jpeg(data, colours, min_width=size[0], min_height=size[1])
    except ValueError:
        return None
    return found[..., 0] if colours == "GRAY" else found


def _of_png(data: bytes, mode: str) -> Array | None:
    if (cv2 := opencv()) is None:
        return None
    flags = cv2.IMREAD_IGNORE_ORIENTATION | (cv2.IMREAD_COLOR_RGB if mode == "RGB" else cv2.IMREAD_GRAYSCALE)
    try:
        found: Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return found


def _is_plain(opened: Any) -> bool:
    """Whether a PNG is one picture of 8 bits: one of 16 has the mode RGB as well, and its tile tells."""
    return not opened.is_animated and len(opened.tile) == 1 and opened.tile[0].args == opened.mode
