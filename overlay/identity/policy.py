"""How strictly people sign in: `[sign_in]` of the area's file. What is not said there is at its strictest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

_LIMITS = {"idle_minutes": (10.0, 0.05, 60.0), "shift_hours": (12.0, 0.05, 24.0)}


class PolicyError(ValueError):
    """The table can't be used. The message names the field."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`idle` is how long a screen nobody touches stays open, `shift` how long a session lasts at most."""

    second_factor_required: bool = True
    idle: timedelta = timedelta(minutes=10)
    shift: timedelta = timedelta(hours=12)

    @property
    def noted_every(self) -> timedelta:
        """How old the store's word on when a session was used may grow: locks go by it."""
        return min(timedelta(minutes=1), self.idle / 4)

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Policy:
        """Take `second_factor` ("required" or "optional"), `idle_minutes` and `shift_hours`. `PolicyError`."""
        for name in table:
            if name != "second_factor" and name not in _LIMITS:
                raise PolicyError(f"[sign_in] has an unknown key '{name}'")
        factor = table.get("second_factor", "required")
        if factor not in ("required", "optional"):
            raise PolicyError('[sign_in] second_factor is "required" or "optional"')
        return cls(
            second_factor_required=factor == "required",
            idle=timedelta(minutes=_number(table, "idle_minutes")),
            shift=timedelta(hours=_number(table, "shift_hours")),
        )


def _number(table: Mapping[str, Any], name: str) -> float:
    usual, least, most = _LIMITS[name]
    value = table.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise PolicyError(f"[sign_in] {name} is a number from {least:g} to {most:g}")
    return float(value)
