"""A loss that Keras lacks: binary cross-entropy that weighs the rows that have a label against those that have not."""

from __future__ import annotations
