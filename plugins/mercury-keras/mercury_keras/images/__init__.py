"""Images: listed and checked when they are read, decoded batch by batch when they are used."""
