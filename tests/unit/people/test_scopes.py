"""What may be done, and what may be handed out."""

from __future__ import annotations

import pytest

from whispercore.errors import InvalidRequest, NotPermitted
from whispercore.people.caller import Caller
from whispercore.people.scopes import BUNDLES, ROLES, SCOPES, grantable, scopes_of, scopes_of_roles

ADMIN = Caller(user_id="1", username="root", scopes=scopes_of_roles(["admin"]), is_admin=True, via="token")
USER = Caller(user_id="2", username="ada", scopes=scopes_of_roles(["user"]), via="token")
NARROW = Caller(user_id="2", username="ada", scopes=frozenset({"jobs:read"}), via="key")


def test_every_bundle_and_role_is_made_of_scopes_that_are_described() -> None:
    assert set().union(*BUNDLES.values(), *ROLES.values()) == set(SCOPES)
    assert all(SCOPES.values())


def test_nobody_may_nothing_but_what_asks_for_nothing() -> None:
    nobody = Caller.nobody()
    assert nobody.may("")
    assert not any(nobody.may(scope) for scope in SCOPES)
    assert nobody is Caller.nobody()


def test_a_user_may_all_but_administer() -> None:
    assert {scope for scope in SCOPES if not USER.may(scope)} == {"admin"}
    assert all(ADMIN.may(scope) for scope in (*SCOPES, "a scope of a plugin"))


def test_roles_that_nobody_knows_allow_nothing() -> None:
    assert scopes_of_roles(["owner", ""]) == frozenset()
    assert scopes_of(["root", "jobs:*", ""]) == frozenset()


def test_bundles_are_several_scopes() -> None:
    assert "jobs:read" in scopes_of(["read"])
    assert "jobs:create" not in scopes_of(["read"])
    assert {"jobs:read", "jobs:create"} <= scopes_of(["read", "write"])


def test_permissions_are_handed_out_as_they_were_named() -> None:
    assert grantable(USER, ["jobs:read", "read", "jobs:read"]) == ("jobs:read", "read")
    assert grantable(ADMIN, ["admin"]) == ("admin",)


@pytest.mark.parametrize("permissions", [["jobs:create"], ["read"], ["jobs:read", "write"]])
def test_nobody_hands_out_what_he_lacks(permissions: list[str]) -> None:
    with pytest.raises(NotPermitted):
        grantable(NARROW, permissions)


def test_only_an_administrator_hands_out_administration() -> None:
    with pytest.raises(NotPermitted) as refused:
        grantable(USER, ["admin"])
    assert refused.value.needed == "admin"


@pytest.mark.parametrize("permissions", [[], ["nonsense"], ["jobs:read", ""], ["JOBS:READ"], ["x" * 100_000], ["a\0b"]])
def test_what_does_not_exist_is_named(permissions: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        grantable(ADMIN, permissions)
    assert refused.value.problems[0].field.startswith("permissions")
    assert len(str(refused.value)) < 1000


def test_a_thousand_permissions_are_too_many() -> None:
    with pytest.raises(InvalidRequest, match="at most"):
        grantable(ADMIN, [f"p{i}" for i in range(1000)])
