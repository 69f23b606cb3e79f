"""The formats that Keras models are saved in, one module each."""
