"""One frozen settings object, from the environment and `overlay.toml`; wrong ones fail at boot, in words."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from overlay.proxies import Network, networks

FIGURES_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Set for the workers before prometheus_client is imported: the folder where they add up what they count."""

SHIPPED_CONFIG = Path(__file__).resolve().parent.parent / "config"


class SettingsError(ValueError):
    """A setting that can't be used, in one line naming it."""


class Settings(BaseModel):
    """Every setting has an environment variable `OVERLAY_NAME`, or `OVERLAY_NAME_FILE` naming a file that holds it.

    `data` is the one folder for store, keys, gazetteer and spool. `store_url` names an external server instead of
    the embedded one, Sentinels or a cluster (markers/store_url.py). `store_durability` is `local` (on the disk of the
    server that answers) or `replicated` (on those of `store_replicas` replicas as well) before anything is
    acknowledged. `store_timeout_s` is the longest a check waits for the store before it says so. `tls_cert` and
    `tls_key` are PEM files. `proxies` are the addresses and networks whose forwarded headers are believed.
    `threads` answer a worker's ordinary requests, `streams` is how many live connections it keeps beside them.
    `requests_per_minute` bounds what one caller may ask of each worker, checks apart. `anchors` is where signed
    checkpoints of the ledger are kept outside the store, best on other media. `single_sign_on_secret` is the client's
    secret at the provider the area's file names. `snapshot_hours` is how old a copy of the store on this machine's disk
    may be for a process that starts while the store is away to go on with it. `proof_s` is how often the proof of life
    is made. `log_requests` logs every request, by route, and not only those that went wrong or took long.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Path("data")
    config: Path = SHIPPED_CONFIG
    area: str = "quillmarket"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=2, ge=1, le=64)
    threads: int = Field(default=16, ge=1, le=256)
    streams: int = Field(default=250, ge=1, le=2000)
    store_url: str | None = None
    store_timeout_s: float = Field(default=0.3, gt=0, le=5)
    store_durability: Literal["local", "replicated"] = "local"
    store_replicas: int = Field(default=1, ge=1, le=9)
    anchors: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    proxies: str = ""
    requests_per_minute: int = Field(default=600, ge=1)
    single_sign_on_secret: str | None = Field(default=None, repr=False)
    snapshot_hours: float = Field(default=24, gt=0, le=24 * 14)
    proof_s: float = Field(default=60, ge=1, le=60)
    log_requests: bool = False

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> Self:
        """Given values (of the command line), then the environment, then `overlay.toml`. Raises SettingsError."""
        chosen = {name: value for name, value in given.items() if value is not None}
        from_environment = {
            name: value
            for name in cls.model_fields
            if (value := _variable(environment, f"OVERLAY_{name.upper()}")) is not None
        }
        data = Path(chosen.get("data") or from_environment.get("data") or cls.model_fields["data"].default)
        merged = {**_from_file(data / "overlay.toml"), **from_environment, **chosen, "data": data.absolute()}
        try:
            return cls(**merged)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"Setting {name} (OVERLAY_{name.upper()}): {first['msg']}.") from error

    @property
    def confirming(self) -> int:
        """How many replicas must have a write on their disks before it is acknowledged."""
        return self.store_replicas if self.store_durability == "replicated" else 0

    @property
    def anchors_folder(self) -> Path:
        """Where the anchors are: as set, or in the data folder."""
        return (self.anchors or self.data / "anchors").absolute()

    @field_validator("proxies")
    @classmethod
    def _proxies_are_networks(cls, text: str) -> str:
        networks(text)
        return text

    @property
    def trusted(self) -> tuple[Network, ...]:
        """`proxies`, read."""
        return networks(self.proxies)

    @property
    def own_host(self) -> str:
        """The address the console answers at on this machine: one that means all of them is answered at loopback."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - where others may reach it

    @property
    def address(self) -> str:
        """Where the console is reached from this machine."""
        host = f"[{self.own_host}]" if ":" in self.own_host else self.own_host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"

    def environment(self) -> dict[str, str]:
        """The same settings for a child process."""
        return {f"OVERLAY_{name.upper()}": str(value) for name, value in self if value is not None}


def _variable(environment: Mapping[str, str], name: str) -> str | None:
    file = environment.get(f"{name}_FILE")
    if file is None:
        return environment.get(name) or None
    try:
        return Path(file).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}_FILE names {file}, which can't be read.") from error


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return _flat(tomllib.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return {}  # whether the folder can be used is said where it is made
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}.") from error


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """`[store] durability = ...` is another way to write `store_durability = ...`."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        within = value if isinstance(value, dict) else {}
        flat |= {f"{name}_{part}": below for part, below in within.items()} if within else {name: value}
    return flat
