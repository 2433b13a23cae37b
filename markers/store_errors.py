"""What the store refuses, can't do or does not know, each by its own name and in words for whoever reads it."""

from __future__ import annotations

from typing import Any


class StoreError(Exception):
    """Anything the store refuses or can't do. Nothing was written unless a subclass says otherwise."""


class StoreUnavailable(StoreError):  # noqa: N818 - a state of the store, named as callers read it
    """No answer to rely on. After a commit was sent the outcome is unknown; send the same commit again to learn it."""


class StoreBehind(StoreUnavailable):
    """The store lacks changes this process has already seen, or is another store: restored, wiped or swapped."""


class StoreNewer(StoreError):  # noqa: N818 - reads as the fact it states
    """The area is kept in a form that this version does not know: a newer one has written it."""

    def __init__(self, schema: int, known: int) -> None:
        super().__init__(
            f"the store is kept in schema {schema}, and this version knows {known}: start the newer version; nothing "
            "was changed"
        )


class RestoreUnfinished(StoreUnavailable):
    """A backup is being put here, or that was cut short: what lies here is not all of it."""

    def __init__(self, area: str) -> None:
        super().__init__(
            f"a backup is being restored into area {area}, or that was cut short: what lies there is not all of it. "
            "Wait for 'overlay restore', or run it again"
        )


class SealedOtherwise(StoreError):  # noqa: N818 - reads as the fact it states
    """Another sealer's checkpoint came first: the ledger is signed up to `size`."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the ledger is signed up to {size} already; nothing was changed")
        self.size = size


class VersionConflict(StoreError):  # noqa: N818 - the usual term
    """Another change came first: the record is at version `found` (0 when it is not there)."""

    def __init__(self, collection: str, record_id: str, found: int) -> None:
        super().__init__(f"{collection} {record_id} is at version {found}; nothing was changed, read it again")
        self.collection, self.record_id, self.found = collection, record_id, found


class NotUnique(StoreError):  # noqa: N818 - reads as the fact it states
    """The uniqueness token is already held by the record `holder`."""

    def __init__(self, token: str, holder: str) -> None:
        super().__init__(f"the same thing is already held by record {holder}; nothing was changed")
        self.token, self.holder = token, holder


class RequestIdReused(StoreError):  # noqa: N818 - reads as the fact it states
    """The request id already stands for a commit with other content."""


def refusal_of(reply: list[Any]) -> StoreError:
    """What a script of the store answered that it would not do."""
    words = [part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in reply]
    match words:
        case ["version", collection, record_id, found]:
            return VersionConflict(collection, record_id, int(found))
        case ["taken", token, holder]:
            return NotUnique(token, holder)
        case ["reused"]:
            return RequestIdReused("this request id already stands for another commit; nothing was changed")
        case ["retired"]:
            return StoreUnavailable("the key ring here is older than the store's last rotation; restore its keys")
        case ["other"]:
            return StoreBehind("the store is not the one this process started with; a person has to decide")
        case ["ahead", *at]:
            return StoreBehind(
                f"the store is behind what this process has seen ({' '.join(at)}); a person has to decide"
            )
        case _:
            return StoreUnavailable(f"the store's data is damaged ({' '.join(words)}); nothing was changed")
