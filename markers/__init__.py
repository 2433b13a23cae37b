"""The standalone marker store: what carries a warning marker, and what a location matches."""
