"""Models of Mercury over HTTP."""
