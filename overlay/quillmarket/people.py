"""The people who sign in to the demonstration: one a role."""

DEMO_ACCOUNTS: tuple[tuple[str, str, str], ...] = (
    ("casey", "Casey Underhill", "call_handler"),
    ("devon", "Devon Marchbank", "dispatcher"),
    ("robin", "Robin Thackeray-Voss", "control_room_supervisor"),
    ("priya", "Priya Ellingford", "ppu_officer"),
    ("morgan", "Morgan Asante-Wray", "ppu_supervisor"),
    ("audrey", "Audrey Fairweather", "auditor"),
    ("adil", "Adil Penhaligon", "administrator"),
)
"""(username, display name, role). The `service` role signs in with tokens only, so nobody here has it."""
