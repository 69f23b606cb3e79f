"""The XML of S3, in the words that boto3 has for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree import ElementTree as ET

_LISTS = {"Contents", "CommonPrefixes", "Part", "Error", "Deleted"}
_NAMED = {"Part": "Parts", "Error": "Errors"}
_ENCODED = ("Key", "Prefix")
# Written here since the standard library's own imports urllib.request. A parser takes a carriage return for a line
# feed, unless it is written so.
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


def parsed(text: bytes) -> tuple[str, dict[str, Any]]:
    """The name of a document's root, and what is in it; nothing of what is no document.

    It comes from the service that credentials are trusted to, and is no longer than a listing; entities are refused.
    """
    if not text or b"<!" in text:
        return "", {}
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(text)  # noqa: S314 — without entities, nothing in it can grow
    except ET.ParseError:
        return "", {}
    name = _name(root)
    if name == "Error":
        return name, {_name(child): child.text or "" for child in root}
    return name, _mapping(root)


def _mapping(element: ET.Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        name = _name(child)
        if name in _LISTS:
            found.setdefault(_NAMED.get(name, name), []).append(_mapping(child))
        elif len(child):
            found[name] = _mapping(child)
        else:
            found[name] = child.text or ""
    return found


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def listing(found: dict[str, Any]) -> dict[str, Any]:
    """The answer of ListObjectsV2, with types."""
    encoded = found.get("EncodingType") == "url"
    for one in (*found.get("Contents", ()), *found.get("CommonPrefixes", ())):
        if encoded:
            for name in _ENCODED:
                if name in one:
                    one[name] = unquote_plus(one[name])
        if "Size" in one:
            one["Size"] = int(one["Size"])
        if one.get("LastModified"):
            one["LastModified"] = datetime.fromisoformat(one["LastModified"])
    return found | {"IsTruncated": found.get("IsTruncated") == "true"}


def parts(found: dict[str, Any]) -> dict[str, Any]:
    """The answer of ListParts, with types."""
    for one in found.get("Parts", ()):
        one["PartNumber"], one["Size"] = int(one["PartNumber"]), int(one["Size"])
    return found | {"IsTruncated": found.get("IsTruncated") == "true"}


def deletion(asked: Mapping[str, Any]) -> bytes:
    """The request of DeleteObjects."""
    objects = "".join(f"<Object><Key>{_text(one['Key'])}</Key></Object>" for one in asked["Objects"])
    return _document("Delete", f"{objects}<Quiet>true</Quiet>")


def completion(asked: Mapping[str, Any]) -> bytes:
    """The request of CompleteMultipartUpload."""
    inner = "".join(
        f"<Part>{''.join(f'<{name}>{_text(str(value))}</{name}>' for name, value in one.items())}</Part>"
        for one in asked["Parts"]
    )
    return _document("CompleteMultipartUpload", inner)


def _document(name: str, inner: str) -> bytes:
    return f'<{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{name}>'.encode()


def _text(value: str) -> str:
    return value.translate(_ESCAPED)
