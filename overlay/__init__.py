"""The control room application around the marker store."""
