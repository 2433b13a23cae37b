"""Words of written UK addresses: street types, abbreviations, unit designators, floors and noise.

General usage only (Royal Mail PAF and BS 7666 abbreviations, and what call takers type); no place's own names.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STREET_KINDS = _words(
    "STREET ROAD LANE AVENUE DRIVE WAY HILL ROW ALLEY PASSAGE EMBANKMENT BOULEVARD CIRCUS VIADUCT BROADWAY HIGHWAY "
    "HIGHWALK PARADE RISE WALK APPROACH MOUNT PATH TERRACE CLOSE CIRCLE BRIDGE CAUSEWAY CHURCHYARD WALL STRAND "
    "PROMENADE ESPLANADE VALE VIEW GATE GREEN GROVE SQUARE PLACE MARKET BYPASS STEPS PAVEMENT DRIFT DRIVEWAY"
)
"""Last words that make a phrase a thoroughfare. Two streets differing only in one of them are two streets."""

BUILDING_KINDS = _words(
    "HOUSE TOWER BUILDING BUILDINGS MANSION MANSIONS LODGE HALL CHAMBERS HEIGHTS POINT APARTMENTS FLATS COTTAGE "
    "COTTAGES VILLA VILLAS HOTEL HOSTEL CENTRE EXCHANGE STUDIOS WORKS MILL BARN FARM FARMHOUSE BLOCK INN SCHOOL "
    "CHURCH STATION COLLEGE LIBRARY PAVILION PLAZA TERMINAL WAREHOUSE BUNGALOW MANOR RECTORY VICARAGE"
)
"""Last words that make a phrase a building."""

EITHER_KINDS = _words("COURT MEWS CRESCENT GARDENS GARDEN YARD ESTATE ARCADE WHARF QUAY QUAYS PARK FIELDS")
"""Last words of streets and of blocks alike."""

GENERIC = _words(
    "RETAIL UNIT UNITS SHOP SHOPS OFFICE OFFICES RESTAURANT BANK PUBLIC HOUSE KIOSK BAR CAFE STORE STORES BASEMENT "
    "GROUND FIRST SECOND FLOOR HALL LIVERY"
)
"""Words that say what premises are used for; alone they name no place."""

KINDS = STREET_KINDS | BUILDING_KINDS | EITHER_KINDS
BLOCK_KINDS = BUILDING_KINDS | EITHER_KINDS

ABBREVIATIONS = {
    "STR": "STREET",
    "STRT": "STREET",
    "RD": "ROAD",
    "LN": "LANE",
    "AVE": "AVENUE",
    "AV": "AVENUE",
    "AVN": "AVENUE",
    "CT": "COURT",
    "CRT": "COURT",
    "SQ": "SQUARE",
    "SQR": "SQUARE",
    "PL": "PLACE",
    "PLC": "PLACE",
    "TER": "TERRACE",
    "TERR": "TERRACE",
    "TCE": "TERRACE",
    "CRES": "CRESCENT",
    "CRESC": "CRESCENT",
    "CR": "CRESCENT",
    "GDNS": "GARDENS",
    "GRDNS": "GARDENS",
    "GDN": "GARDEN",
    "CL": "CLOSE",
    "CLS": "CLOSE",
    "DR": "DRIVE",
    "DRV": "DRIVE",
    "GRV": "GROVE",
    "GRO": "GROVE",
    "HSE": "HOUSE",
    "HO": "HOUSE",
    "HS": "HOUSE",
    "TWR": "TOWER",
    "BLDG": "BUILDING",
    "BLDGS": "BUILDINGS",
    "BLD": "BUILDING",
    "BLDS": "BUILDINGS",
    "MANS": "MANSIONS",
    "MANSNS": "MANSIONS",
    "PK": "PARK",
    "PSGE": "PASSAGE",
    "PASS": "PASSAGE",
    "PSG": "PASSAGE",
    "YD": "YARD",
    "WY": "WAY",
    "WLK": "WALK",
    "WK": "WALK",
    "MWS": "MEWS",
    "GT": "GREAT",
    "GRT": "GREAT",
    "LT": "LITTLE",
    "LTL": "LITTLE",
    "UPR": "UPPER",
    "LWR": "LOWER",
    "CTR": "CENTRE",
    "CENTER": "CENTRE",
    "CHYD": "CHURCHYARD",
    "CHAMB": "CHAMBERS",
    "CHBRS": "CHAMBERS",
    "EMB": "EMBANKMENT",
    "EMBKMT": "EMBANKMENT",
    "WHF": "WHARF",
    "EST": "ESTATE",
    "ALY": "ALLEY",
    "ARC": "ARCADE",
    "MKT": "MARKET",
    "BLVD": "BOULEVARD",
    "HTS": "HEIGHTS",
    "APTS": "APARTMENTS",
    "MT": "MOUNT",
    "VLG": "VILLAGE",
    "SAINT": "ST",
    "COTT": "COTTAGE",
    "COTTS": "COTTAGES",
    "HTL": "HOTEL",
}
"""Typed form -> canonical word. `ST` stays itself: Saint or Street is decided by its place."""

_PAIRS = (
    ("ST", "STREET"),
    ("N", "NORTH"),
    ("S", "SOUTH"),
    ("E", "EAST"),
    ("W", "WEST"),
    ("BROS", "BROTHERS"),
)
SAME_WORD = frozenset(_PAIRS) | frozenset((long, short) for short, long in _PAIRS)
"""Pairs that are one word, in both orders."""

FLAT_WORDS = {
    "FLAT": "FLAT",
    "FLT": "FLAT",
    "FL": "FLAT",
    "APT": "FLAT",
    "APPT": "FLAT",
    "APART": "FLAT",
    "APARTMENT": "FLAT",
    "APMT": "FLAT",
    "MAISONETTE": "FLAT",
    "MAIS": "FLAT",
    "PENTHOUSE": "PENTHOUSE",
    "STUDIO": "STUDIO",
    "ROOM": "ROOM",
    "RM": "ROOM",
    "BEDSIT": "ROOM",
    "UNIT": "UNIT",
    "SHOP": "UNIT",
    "SUITE": "UNIT",
    "STE": "UNIT",
    "OFFICE": "UNIT",
    "KIOSK": "UNIT",
    "STALL": "UNIT",
    "ARCH": "UNIT",
    "ANNEXE": "ANNEXE",
    "ANNEX": "ANNEXE",
}
"""Unit designator -> kind (BS 7666 secondary addressable object)."""

UNIT_SHORTHAND = {"GFF": 0, "FFF": 1, "SFF": 2, "TFF": 99, "BFF": -1, "LGFF": -1}
"""Ground Floor Flat and its kin, as call takers abbreviate them -> storey."""

FLOORS = {
    "BASEMENT": -1,
    "BSMT": -1,
    "BSMNT": -1,
    "BASMT": -1,
    "BMT": -1,
    "LGF": -1,
    "GF": 0,
    "GROUND": 0,
    "GRD": 0,
    "GND": 0,
    "GRND": 0,
    "FIRST": 1,
    "SECOND": 2,
    "THIRD": 3,
    "FOURTH": 4,
    "FIFTH": 5,
    "SIXTH": 6,
    "SEVENTH": 7,
    "EIGHTH": 8,
    "NINTH": 9,
    "TENTH": 10,
    "TOP": 99,
    "UPPER": 98,
    "ATTIC": 99,
    "MEZZANINE": 97,
}
"""Storey words -> storey; 99 is the top, 98 an upper floor, 97 a mezzanine."""

FLOORS_ALONE = frozenset({"BASEMENT", "BSMT", "BSMNT", "BASMT", "LGF", "GF", "ATTIC", "MEZZANINE"})
"""Storey words that need no `floor` or `flat` after them (Ground, First, Top and Upper also begin street names)."""

FLOOR_WORDS = frozenset({"FLOOR", "FLOORS", "FLR", "FLRS", "FLOR", "LEVEL"})
SIDES = {"FRONT": "FRONT", "REAR": "REAR", "BACK": "REAR", "LEFT": "LEFT", "RIGHT": "RIGHT"}

GLUE = _words("THE OF AT AND IN ON LE LA")
"""Small words that are typed or left out freely inside a name."""

NOISE = _words(
    "OS RO NR NEAR OUTSIDE OPP OPPOSITE BEHIND REAR LOC LOCATION ADDRESS ADD ABOVE OVER NO NUMBER NUM NOS "
    "JUST THE OF AT BY FROM TO IN ON IS UK ENGLAND"
)
"""Words around an address that say nothing of which home it is."""

COUNTED = _words(
    "MALE MALES FEMALE FEMALES MAN MEN WOMAN WOMEN CHILD CHILDREN KID KIDS YOUTH YOUTHS PERSON PERSONS PEOPLE ADULT "
    "ADULTS TEENAGER TEENAGERS BOY BOYS GIRL GIRLS LAD LADS OFFICER OFFICERS OCCUPANT OCCUPANTS SUSPECT SUSPECTS "
    "VICTIM VICTIMS WITNESSES NEIGHBOURS CASUALTY CASUALTIES CALLS CALLERS DOGS CARS VEHICLES SHOTS KNIVES MINUTES "
    "MINS HOURS HRS DAYS WEEKS MONTHS YEARS YEAR YRS YR AM PM"
)
"""Words that a number before them counts: it is no house number."""

BESIDE = _words(
    "OPP OPPOSITE BEHIND NEXT NEXTDOOR ADJACENT ADJOINING ALONGSIDE BETWEEN BELOW UNDER BENEATH UNDERNEATH "
    "UPSTAIRS DOWNSTAIRS"
)
"""Words that put the place beside the address, not at it: the home is never claimed."""

BESIDE_BEFORE = _words(
    "ACROSS BESIDE ADJ FACING PAST AFTER BEYOND NXT NEIGHBOUR NEIGHBOURING FORMER FORMERLY PREVIOUSLY LONGER USED "
    "DOORS MOVED EVICTED"
)
"""The same, where they stand before the address; behind it they belong to what happened."""

APART = _words("OUTSIDE OS NEAR NR BY AT IN ON FROM")
"""Words that part a number from the name behind it: `14 outside Quill Tower` is no flat 14."""

PARTS = _words(
    "LOFT CELLAR SHED GARAGE OUTBUILDING OUTHOUSE STABLE DUPLEX BLOCK WING LIFT LOBBY STAIRCASE STAIRWELL ROOF GARDEN "
    "CARAVAN BIN BINS PARKING BAY"
)
"""Parts of, or things at, a building; before a number they are somewhere else than the home of that number."""

PREFIXES = _words("GREAT LITTLE NEW OLD UPPER LOWER NORTH SOUTH EAST WEST HIGH MIDDLE ST N S E W LONG SHORT CENTRAL")
"""Words in front of a street name that make it another street."""

TOWNS = _words(
    "LONDON BIRMINGHAM MANCHESTER LIVERPOOL LEEDS SHEFFIELD BRISTOL GLASGOW EDINBURGH CARDIFF BELFAST NEWCASTLE "
    "NOTTINGHAM LEICESTER COVENTRY BRADFORD HULL STOKE WOLVERHAMPTON PLYMOUTH DERBY SOUTHAMPTON PORTSMOUTH BRIGHTON "
    "NORWICH LUTON READING OXFORD CAMBRIDGE YORK SWANSEA ABERDEEN DUNDEE SUNDERLAND PRESTON EXETER BATH "
    "GLOUCESTER CHELTENHAM IPSWICH PETERBOROUGH DONCASTER HALIFAX WIGAN BOLTON STOCKPORT CROYDON"
)
"""Post towns common enough to be written after any street."""

POSTCODE_AREAS = _words(
    "AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY "
    "G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR "
    "NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA "
    "WC WD WF WN WR WS WV YO ZE"
)
"""Postcode areas in use (Royal Mail)."""

_ONES = (
    *("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN", "ELEVEN", "TWELVE", "THIRTEEN"),
    *("FOURTEEN", "FIFTEEN", "SIXTEEN", "SEVENTEEN", "EIGHTEEN", "NINETEEN"),
)
_TENS = ("TWENTY", "THIRTY", "FORTY", "FIFTY", "SIXTY", "SEVENTY", "EIGHTY", "NINETY")
NUMBER_WORDS = {word: number for number, word in enumerate(_ONES, start=1)} | {
    word: 10 * tens for tens, word in enumerate(_TENS, start=2)
}
"""Numbers as callers say them; `TWENTY ONE` is put together where it is read."""
