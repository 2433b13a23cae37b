"""The second walk: changes to what the store holds of markers, one by one at the desk or as a list."""
