"""Who is asking: local accounts, their sessions, and the service tokens of other programs.

All three are records of the store's collection "access"; `AccessBook` is its read model in memory, and
every change goes through one commit with its ledger entry.
"""

from overlay.identity.access import AccessBook, Account, ServiceToken, Session, secret_id
from overlay.identity.accounts import NameTaken, NoSuchAccount, create_account, disable_account, set_password, set_role
from overlay.identity.changes import COMMAND_LINE, AccessBusy, IdentityError, Refused
from overlay.identity.door import Door
from overlay.identity.passwords import SHORTEST_PASSWORD, SignInBusy
from overlay.identity.reauthenticate import reauthenticate
from overlay.identity.sessions import SESSION_LASTS, SignInRefused, SlowDown, sign_in, sign_out
from overlay.identity.tokens import NoSuchToken, create_token, revoke_token

__all__ = [
    "COMMAND_LINE",
    "SESSION_LASTS",
    "SHORTEST_PASSWORD",
    "AccessBook",
    "AccessBusy",
    "Account",
    "Door",
    "IdentityError",
    "NameTaken",
    "NoSuchAccount",
    "NoSuchToken",
    "Refused",
    "ServiceToken",
    "Session",
    "SignInBusy",
    "SignInRefused",
    "SlowDown",
    "create_account",
    "create_token",
    "disable_account",
    "reauthenticate",
    "revoke_token",
    "secret_id",
    "set_password",
    "set_role",
    "sign_in",
    "sign_out",
]
