"""Settings of who comes in: whether people register themselves, and whose word is taken for who they are."""

from __future__ import annotations

from attrs import field, frozen

from whispercore import parsers
from whispercore.errors import InvalidOption
from whispercore.oidc.options import SCOPES, Admins, OidcOptions, admins, is_guarded, issuer
from whispercore.setting import setting
from whispercore_server.job_settings import JobSettings

_CALLBACK = "/auth/oidc/callback"


def _redirect_url(text: str) -> str:
    if not is_guarded(text) or not text.endswith(_CALLBACK):
        raise ValueError(f"{text!r} is not the address of this server with https:// and {_CALLBACK} behind it")
    return text


@frozen(kw_only=True)
class SignInSettings(JobSettings):
    """What a server is told about people who come."""

    sign_up: bool = field(
        default=True,
        metadata=setting("WHISPERCORE_SIGN_UP", "Whether people may register themselves (1 or 0).", parsers.flag),
    )
    oidc_issuer: str | None = field(
        default=None,
        metadata=setting(
            "WHISPERCORE_OIDC_ISSUER",
            "The OpenID Connect provider that people may sign in with, by its issuer, https://…; none when not set.",
            issuer,
        ),
    )
    oidc_client_id: str | None = field(
        default=None,
        metadata=setting("WHISPERCORE_OIDC_CLIENT_ID", "What this server is called there.", parsers.word),
    )
    oidc_client_secret: str | None = field(
        default=None,
        repr=False,
        metadata=setting(
            "WHISPERCORE_OIDC_CLIENT_SECRET",
            "What it shows there that it is this server; not set for a public client.",
            parsers.key,
            secret=True,
        ),
    )
    oidc_scopes: tuple[str, ...] = field(
        default=SCOPES,
        metadata=setting(
            "WHISPERCORE_OIDC_SCOPES",
            "What the provider is asked for; openid has to be among it.",
            parsers.words,
            show=parsers.listed,
        ),
    )
    oidc_username_claim: str = field(
        default="email",
        metadata=setting(
            "WHISPERCORE_OIDC_USERNAME_CLAIM",
            "The claim of the ID token that new accounts are called by; email counts only if it is verified.",
            parsers.word,
        ),
    )
    oidc_sign_up: bool | None = field(
        default=None,
        metadata=setting(
            "WHISPERCORE_OIDC_SIGN_UP",
            "Whether who signs in for the first time gets an account (1 or 0); as sign_up when not set.",
            parsers.flag,
        ),
    )
    oidc_link_by_email: bool = field(
        default=False,
        metadata=setting(
            "WHISPERCORE_OIDC_LINK_BY_EMAIL",
            "Whether who has the verified address of an account gets in there (1 or 0); needs sign_up to be 0.",
            parsers.flag,
        ),
    )
    oidc_admin: Admins | None = field(
        default=None,
        metadata=setting(
            "WHISPERCORE_OIDC_ADMIN",
            "A claim and its value that make an administrator, such as groups=admins; roles are ours when not set.",
            admins,
        ),
    )
    oidc_redirect_url: str | None = field(
        default=None,
        metadata=setting(
            "WHISPERCORE_OIDC_REDIRECT_URL",
            f"Where the provider sends people back to, https://…{_CALLBACK}; as requests say when not set.",
            _redirect_url,
        ),
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            missing = "oidc_client_id" if self.oidc_client_id is None else "oidc_issuer"
            raise InvalidOption(missing, "the issuer and the client id of a provider go together")
        if "openid" not in self.oidc_scopes:
            raise InvalidOption("oidc_scopes", "openid is not among them, without which a provider says nothing of who")
        if self.oidc_link_by_email and self.sign_up:
            raise InvalidOption(
                "oidc_link_by_email", "it needs sign_up to be 0: who registers himself may say another's address"
            )

    @property
    def oidc(self) -> OidcOptions | None:
        """The provider; None where there is none."""
        if self.oidc_issuer is None or self.oidc_client_id is None:
            return None
        return OidcOptions(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self.oidc_client_secret,
            scopes=self.oidc_scopes,
            username_claim=self.oidc_username_claim,
            registers=self.sign_up if self.oidc_sign_up is None else self.oidc_sign_up,
            links_by_email=self.oidc_link_by_email,
            admins=self.oidc_admin,
        )
