"""Which ids are filed under a key, in little memory: nearly every key has one id, and a set for each would cost more
than the key."""

from __future__ import annotations


class Postings:
    """Ids by key. Not thread-safe; the index's lock covers it."""

    def __init__(self) -> None:
        self._held: dict[str, str | set[str]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._held

    def get(self, key: str) -> tuple[str, ...]:
        """Every id under the key, in no order; none for an unknown key."""
        held = self._held.get(key)
        if held is None:
            return ()
        return (held,) if isinstance(held, str) else tuple(held)

    def add(self, key: str, entry: str) -> None:
        """File an id under a key; twice is once."""
        held = self._held.get(key)
        if held is None:
            self._held[key] = entry
        elif isinstance(held, set):
            held.add(entry)
        elif held != entry:
            self._held[key] = {held, entry}

    def discard(self, key: str, entry: str) -> None:
        """Take an id from under a key; one that is not there is ignored."""
        held = self._held.get(key)
        if isinstance(held, set):
            held.discard(entry)
            if len(held) == 1:
                self._held[key] = held.pop()
        elif held == entry:
            del self._held[key]
