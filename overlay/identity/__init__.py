"""Who is asking: people's accounts, their second factors and sessions, and the service tokens of other programs.

All are records of the store's collection "access"; `AccessBook` is its read model in memory, and every change goes
through one commit with its ledger entry. When a session was last used lies apart, in "presence".
"""

from overlay.identity.access import AccessBook, Account, Pending, SecondFactor, ServiceToken, Session, secret_id
from overlay.identity.accounts import (
    NameTaken,
    NoSuchAccount,
    create_account,
    disable_account,
    enable_account,
    end_sessions,
    reset_second_factor,
    set_password,
    set_role,
)
from overlay.identity.changes import COMMAND_LINE, AccessBusy, IdentityError, Refused, catch_up
from overlay.identity.counters import Counters, SlowDown
from overlay.identity.door import Browser, Door
from overlay.identity.openid import OpenId, ProviderAway, SignOnRefused
from overlay.identity.passwords import SHORTEST_PASSWORD, SignInBusy
from overlay.identity.policy import Policy, PolicyError
from overlay.identity.presence import Presence
from overlay.identity.provider import Provider, ProviderError
from overlay.identity.reauthenticate import ProviderFirst, reauthenticate
from overlay.identity.recovery import renew_recovery_codes
from overlay.identity.sessions import (
    SignInRefused,
    Standing,
    end_session,
    is_locked,
    last_used,
    lock,
    sign_out,
    standing,
)
from overlay.identity.sign_in import (
    CodeRefused,
    SignedIn,
    StartAgain,
    begin_enrolment,
    enrol,
    give_code,
    new_factor,
    sign_in,
    unlock,
)
from overlay.identity.tokens import NoSuchToken, create_token, known_scopes, revoke_token

__all__ = [
    "COMMAND_LINE",
    "SHORTEST_PASSWORD",
    "AccessBook",
    "AccessBusy",
    "Account",
    "Browser",
    "CodeRefused",
    "Counters",
    "Door",
    "IdentityError",
    "NameTaken",
    "NoSuchAccount",
    "NoSuchToken",
    "OpenId",
    "Pending",
    "Policy",
    "PolicyError",
    "Presence",
    "Provider",
    "ProviderAway",
    "ProviderError",
    "ProviderFirst",
    "Refused",
    "SecondFactor",
    "ServiceToken",
    "Session",
    "SignInBusy",
    "SignInRefused",
    "SignOnRefused",
    "SignedIn",
    "SlowDown",
    "Standing",
    "StartAgain",
    "begin_enrolment",
    "catch_up",
    "create_account",
    "create_token",
    "disable_account",
    "enable_account",
    "end_session",
    "end_sessions",
    "enrol",
    "give_code",
    "is_locked",
    "known_scopes",
    "last_used",
    "lock",
    "new_factor",
    "reauthenticate",
    "renew_recovery_codes",
    "reset_second_factor",
    "revoke_token",
    "secret_id",
    "set_password",
    "set_role",
    "sign_in",
    "sign_out",
    "standing",
    "unlock",
]
