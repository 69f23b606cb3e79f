"""`keras.augment`: Keras's own layers on the images of one data set, while it is trained on."""

from __future__ import annotations
