"""What the configuration files say, read and checked as a whole."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from checklists.definition import Definition
from checklists.load import load_definitions
from checklists.references import Known
from markers.categories import load_categories
from markers.geocoders import Geocoders
from markers.model import Category
from overlay.area import Area, load_area, load_geocoders
from overlay.area_file import area_part
from overlay.desk import DeskRules, load_desk
from overlay.disclosure import check_table
from overlay.identity import Policy, PolicyError, Provider, ProviderError
from overlay.incidents.rules import Rules, RulesError
from overlay.roles import Roles
from overlay.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the files of `settings.config` say, read and checked whole before anything is touched."""

    area: Area
    geocoders: Geocoders
    categories: Mapping[str, Category]
    roles: Roles
    definitions: tuple[Definition, ...]
    incident_types: tuple[tuple[str, str], ...]
    rules: Rules
    desk: DeskRules
    policy: Policy
    provider: Provider | None

    @classmethod
    def read(cls, settings: Settings) -> Configuration:
        """Raises SettingsError, CategoryError, RolesError, DisclosureError or DefinitionError naming file and place."""
        categories = load_categories(settings.config / "categories.toml")
        roles = Roles.load(settings.config / "roles.toml")
        check_table(categories, roles.titles, frozenset(r for r in roles.titles if roles.allows(r, "checks.make")))
        incident_types = load_incident_types(settings.config / "incident_types.toml")
        return cls(
            area=load_area(settings),
            geocoders=load_geocoders(settings),
            categories=categories,
            roles=roles,
            definitions=load_definitions(known=known_names(settings)),
            incident_types=incident_types,
            rules=_rules(settings),
            desk=load_desk(settings.config / "public_protection.toml"),
            policy=_policy(settings),
            provider=_provider(settings),
        )


def _rules(settings: Settings) -> Rules:
    try:
        return Rules.load(settings.config / "incidents.toml")
    except RulesError as error:
        raise SettingsError(str(error)) from error


def _policy(settings: Settings) -> Policy:
    path, table = area_part(settings, "sign_in")
    try:
        return Policy.read(table)
    except PolicyError as error:
        raise SettingsError(f"{path}: {error}.") from error


def _provider(settings: Settings) -> Provider | None:
    path, table = area_part(settings, "single_sign_on")
    try:
        return Provider.read(table, settings.single_sign_on_secret)
    except ProviderError as error:
        raise SettingsError(f"{path}: {error}.") from error


def known_names(settings: Settings) -> Known:
    """What a checklist definition may name of the configuration. Raises CategoryError, SettingsError."""
    return Known(
        load_categories(settings.config / "categories.toml"),
        dict(load_incident_types(settings.config / "incident_types.toml")),
        {name: tuple(codes) for name, codes in _rules(settings).lists.items()},
    )


def load_incident_types(path: Path) -> tuple[tuple[str, str], ...]:
    """Code and title of each type, in the order they are offered. Raises SettingsError."""
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["types"]
        return tuple((str(row["code"]), str(row["title"])) for row in rows)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise SettingsError(f"{path}: {error}.") from error
