"""Amazon S3 for Mercury."""
