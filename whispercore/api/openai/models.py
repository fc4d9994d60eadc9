"""Models (https://platform.openai.com/docs/api-reference/models)."""

from __future__ import annotations

from typing import Final, Generic, Literal

from attrs import field, frozen

from whispercore.api.openai.dialect import OpenAiGroup
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.fields import told
from whispercore.contract.group import T_co
from whispercore.errors import NotFound

DEFAULT_MODEL: Final = "whisper-1"
"""The name by which programs written for OpenAI ask for speech to text: here it is the server's default model."""


@frozen(kw_only=True)
class ListModels:
    """All models."""


@frozen(kw_only=True)
class ModelRef:
    """One model."""

    model: str = field(kw_only=False, metadata=told("Its name."))


@frozen(kw_only=True)
class Model:
    """A model that can be used here."""

    id: str
    object: Literal["model"] = "model"
    created: int
    """When its file came to this server, in seconds since 1970."""
    owned_by: str
    """``whispercore`` for what is part of it, ``openai`` for what was published, else ``you``."""
    engine: str = ""
    """That computes with it, for instance ``whisper-cpp``."""
    options: list[str] | None = None
    """Of ``words``, ``translate``, ``prompt``, ``temperature``, ``temperature_step`` and ``beam_size`` those that its
    engine follows; others are refused. null where the engine does not tell before it has loaded a model."""


@frozen(kw_only=True)
class ModelList:
    """All models that can be used here."""

    object: Literal["list"] = "list"
    data: list[Model]


class Models(OpenAiGroup[T_co], Generic[T_co]):
    """Models that can be used here."""

    tag = "models"
    list = Endpoint(
        "GET",
        "/v1/models",
        ListModels,
        ModelList,
        scope="jobs:create",
        ignores_unknown=True,
        doc="The models that are on this server.",
    )
    get = Endpoint(
        "GET",
        "/v1/models/{model}",
        ModelRef,
        Model,
        scope="jobs:create",
        ignores_unknown=True,
        errors=(NotFound,),
        doc="A model that is on this server.",
    )
