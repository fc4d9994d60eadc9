"""Answers of ``api.openai.models``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from attrs import define

from whispercore.api.openai.models import DEFAULT_MODEL, ListModels, Model, ModelList, ModelRef, Models
from whispercore.engines.capabilities import Capabilities
from whispercore.errors import EngineMissing, NotFound, UnknownModel
from whispercore.models.choice import engine_of
from whispercore.models.listing import StoredModel
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports

_OWNERS = {"bundled": "whispercore", "downloaded": "openai"}


@define
class ModelsHandlers:
    """Shows the models that can be used."""

    ports: Ports

    @serves(Models.list)
    async def list(self, request: ListModels, caller: Caller) -> ModelList:
        """The default model is among them a second time, under the name that OpenAI's programs have for it."""
        del request, caller
        return ModelList(data=await asyncio.to_thread(lambda: [*self._models()]))

    @serves(Models.get)
    async def get(self, request: ModelRef, caller: Caller) -> Model:
        """By its name."""
        listed: ModelList = await self.list(ListModels(), caller)
        for one in listed.data:
            if one.id == request.model:
                return one
        raise NotFound("model", request.model)

    def _models(self) -> Iterator[Model]:
        folder = self.ports.settings.library.models_dir
        here = {one.name: one for one in self.ports.models.list() if one.downloaded}
        default = here.get(self.ports.settings.library.default_model)
        if default is not None:
            here.setdefault(DEFAULT_MODEL, default)
        for name, one in here.items():
            engine = engine_of(one.name, folder)
            yield Model(
                id=name,
                created=_came_at(one),
                owned_by=_OWNERS.get(one.state, "you"),
                engine=engine,
                options=_followed(self._declared(engine)),
            )

    def _declared(self, engine: str) -> Capabilities | None:
        with suppress(EngineMissing):
            return self.ports.engines.declared(engine)
        return None


def _followed(can: Capabilities | None) -> list[str] | None:
    return list(can.options) if can is not None else None


async def model_of(name: str | None, ports: Ports) -> str:
    """The model of the store that is meant by a name of OpenAI's programs, or by none.

    Raises:
        NotFound: No model has this name.
        ModelNotAvailable: It is known, but not on this machine, and may not be fetched.
    """
    try:
        return await ports.submissions.model(name)
    except UnknownModel as error:
        if name == DEFAULT_MODEL:
            return await ports.submissions.model(None)
        raise NotFound("model", error.name) from error


def _came_at(model: StoredModel) -> int:
    try:
        return int(model.path.stat().st_mtime) if model.path is not None else 0
    except FileNotFoundError:  # it was removed a moment ago
        return 0
