"""Google Cloud Storage for Mercury."""
