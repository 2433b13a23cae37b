"""Quillmarket, the invented neighbourhood every demonstration and test marker lives in.

It stands in open water in the Thames estuary (more than 3 km from the nearest shore), its postcodes
are in EC9, a district that is not allocated, its UPRNs are in the block 999990000001 onwards, which
is ours and nobody's, and its telephone numbers are Ofcom's numbers for drama. `build` needs no file
and no clock: one seed, one town.
"""

from overlay.quillmarket.files import (
    MARKER_COLUMNS,
    marker_rows,
    write_gazetteer_csv,
    write_geojson,
    write_markers_csv,
)
from overlay.quillmarket.people import DEMO_ACCOUNTS
from overlay.quillmarket.town import Neighbourhood, Try, build

__all__ = [
    "DEMO_ACCOUNTS",
    "MARKER_COLUMNS",
    "Neighbourhood",
    "Try",
    "build",
    "marker_rows",
    "write_gazetteer_csv",
    "write_geojson",
    "write_markers_csv",
]
