"""Ready models, which are made to fit the data: ``keras.mlp`` and ``keras.convnet``."""

from __future__ import annotations
