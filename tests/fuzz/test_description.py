"""Requests made from the interface's own description, right and wrong ones, under every role and none."""

from __future__ import annotations

import random
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.conftest import CANARY, REQUESTS, SEED, Fuzzed

# Left out: those that send further requests of their own, and `positive_data_acceptance`, for a location can fit the
# description and still not be one (a grid reference off the grid).
HELD = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SHARE = 0.5  # of all requests; the rest is raw
CREDENTIALS = ("none", "wrong")


def planted(chance: random.Random, value: Any) -> Any:
    """Some of the texts of a body, names of fields too, with a word in them that occurs nowhere else."""
    if isinstance(value, dict):
        return {
            (name + CANARY if chance.random() < 0.03 else name): planted(chance, kept) for name, kept in value.items()
        }
    if isinstance(value, list):
        return [planted(chance, kept) for kept in value]
    if isinstance(value, str) and chance.random() < 0.5:
        return f"{CANARY} {value}"
    return value


def sensible(chance: random.Random, body: Any, tries: list[tuple[str, str]]) -> Any:
    """The body, now and then about a home that is there, so that checks are answered and not only refused."""
    if isinstance(body, dict) and chance.random() < 0.4:
        return {**body, "location": {"address": chance.choice(tries)[0]}, "caller_number": None}
    return body


def ask(fuzzed: Fuzzed, session: requests.Session, case: Any, credential: str) -> None:
    headers = {"User-Agent": CANARY}
    if case.path.endswith("/events"):
        case.query = {**(case.query or {}), "for_s": 0}  # a stream that ends at once
    if credential == "wrong":
        headers["Authorization"] = f"Bearer wmo_{CANARY}"
    elif credential != "none":
        headers["Authorization"] = f"Bearer {fuzzed.tokens[credential]}"
    reply = case.call(session=session, headers=headers, timeout=20)
    fuzzed.answered(reply.status_code, {k: v[0] for k, v in reply.headers.items()}, reply.text, case.as_curl_command())
    case.validate_response(reply, checks=HELD)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.timeout(0)
def test_whatever_the_description_allows_or_forbids_is_answered_in_order(fuzzed: Fuzzed, mode: GenerationMode) -> None:
    console = fuzzed.console
    headers = {"Authorization": f"Bearer {fuzzed.tokens['service']}"}
    described = schemathesis.openapi.from_url(f"{console.url}/api/v1/openapi.json", headers=headers)
    operations = [found.ok() for found in described.get_all_operations()]
    assert {operation.path for operation in operations} >= {"/api/v1/checks", "/healthz"}
    checks = next(operation for operation in operations if operation.path == "/api/v1/checks")
    kinds = [operation.as_strategy(generation_mode=mode) for operation in (*[checks] * 9, *operations)]
    credentials = st.sampled_from((*fuzzed.tokens, *CREDENTIALS))
    session = requests.Session()
    before = fuzzed.statuses.copy()

    @seed(SEED)
    @settings(
        max_examples=round(REQUESTS * SHARE / len(GenerationMode)),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(kinds), credential=credentials, number=st.integers(0, 2**32))
    def fuzz(case: Any, credential: str, number: int) -> None:
        chance = random.Random(number)
        case.body = planted(chance, sensible(chance, case.body, console.tries))
        ask(fuzzed, session, case, credential)

    fuzz()
    answered = fuzzed.statuses - before
    assert answered.total() >= REQUESTS * SHARE / len(GenerationMode) * 0.9
    expected = {401, 403, 200 if mode is GenerationMode.POSITIVE else 400}
    assert expected <= set(answered), "some got in, some did not"
