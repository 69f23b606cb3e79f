"""The reader `keras.images`."""
