"""Columns whose values only stand for content, as the paths of images do: what works on values leaves them be.

A reader notes that in the metadata of the Arrow field, under `CONTENT`; a transform of a table asks `holds_content`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa

#: The key in the metadata of a field; what it says there is in words what the column holds, as ``images``.
CONTENT = b"mercury.content"


def holds_content(field: pa.Field) -> bool:
    """Whether the values of a column stand for something else, and are neither numbers nor categories.

    Examples:
        >>> import pyarrow as pa
        >>> holds_content(pa.field("image", pa.string(), metadata={CONTENT: b"images"}))
        True
        >>> holds_content(pa.field("town", pa.string()))
        False
    """
    return CONTENT in (field.metadata or {})
