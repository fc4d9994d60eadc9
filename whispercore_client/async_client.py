"""The client for asyncio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Final, Literal, Self

from whispercore.api.files_v1.files import StoredFileInfo
from whispercore.api.transcriber.job_options import JobOptions, Priority, vad_fields
from whispercore.api.transcriber.jobs import JobDetail
from whispercore.audio.vad import Vad
from whispercore.clock import Clock, SystemClock
from whispercore.hallucinations import Policy
from whispercore_client.account import Account, OnRefresh
from whispercore_client.apis import Apis
from whispercore_client.chunked import OnBegin, OnSent, Uploaded, submitting, uploading
from whispercore_client.connection import Connection
from whispercore_client.encrypted import encrypting
from whispercore_client.options import CallOptions, OnUpload
from whispercore_client.recording import Recording, Source
from whispercore_client.server import Server
from whispercore_client.transport import AsyncHttp
from whispercore_client.waiting import OnProgress, succeeded, wait_for

_CLOCK: Final = SystemClock()


class AsyncClient(Apis[AsyncHttp]):
    """A client of a whispercore server for asyncio. Belongs to the event loop in which it is first used.

    Args:
        base_url: Of the server, with the path below which it is mounted, if there is one.
        api_key: A key of the server.
        token: An access token, as ``auth.login`` gives it, in place of a key.
        username: In place of both, with a password: the client logs in when it first has to, and stays in.
        password: That of the user.
        refresh_token: In place of a name and a password: one of a session that goes on. It is good once, so keep the
            next one, see ``on_refresh``; two clients with one token end the session.
        on_refresh: Called with each new refresh token.
        timeout_s: How long nothing may move: for an answer once all was sent, for the next bytes of a stream.
        retries: How often a call is tried again where that is safe.
        headers: Sent with every request.
        clock: Waits between attempts.

    Raises:
        InvalidOption: One of these cannot work.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        refresh_token: str | None = None,
        on_refresh: OnRefresh | None = None,
        timeout_s: float = 60.0,
        retries: int = 2,
        headers: Mapping[str, str] | None = None,
        clock: Clock = _CLOCK,
    ) -> None:
        account = Account.of(username, password, refresh_token, on_refresh)
        server = Server.of(base_url, api_key=api_key, token=token, account=account)
        options = CallOptions(timeout_s=timeout_s, retries=retries, headers=dict(headers or {}))
        super().__init__(AsyncHttp(Connection(server), options, clock))

    def __repr__(self) -> str:
        return f"<AsyncClient {self.transport.connection.server.base_url}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections, for all copies. Closing twice does nothing."""
        await self.transport.close()

    def with_options(
        self,
        *,
        timeout_s: float | None = None,
        retries: int | None = None,
        headers: Mapping[str, str] | None = None,
        on_upload: OnUpload | None = None,
    ) -> AsyncClient:
        """The same client with other options, over the same connections; what is left out stays as it is.

        Args:
            timeout_s: See the class.
            retries: See the class.
            headers: Sent beside those that were given before.
            on_upload: Called with the bytes that were taken of an upload, and their number in all if that is known.
        """
        copy = object.__new__(type(self))
        options = self.transport.options.changed(timeout_s, retries, headers, on_upload)
        Apis.__init__(copy, self.transport.with_options(options))
        return copy

    async def wait(
        self, job_id: str, *, timeout_s: float | None = None, on_progress: OnProgress | None = None
    ) -> JobDetail:
        """Wait until a job is completed, failed or cancelled.

        Args:
            job_id: The job.
            timeout_s: How long to wait in all; None for as long as it takes.
            on_progress: Called whenever it got further.

        Raises:
            TimedOut: It is not finished by then. It goes on at the server.
            NotFound: There is no such job.
        """
        async with aclosing(wait_for(self.transport, job_id, timeout_s)) as steps:
            async for step in steps:
                if isinstance(step, JobDetail):
                    return step
                if on_progress is not None:
                    on_progress(step)
        raise AssertionError("waiting ends with the job")

    async def wait_for_completion(
        self, job_id: str, *, timeout_s: float | None = None, on_progress: OnProgress | None = None
    ) -> JobDetail:
        """The same, for those who need the transcript: a job that is not completed is an error.

        Raises:
            JobFailed: It failed, or was cancelled.
            TimedOut: It is not finished by then. It goes on at the server.
            NotFound: There is no such job.
        """
        return succeeded(await self.wait(job_id, timeout_s=timeout_s, on_progress=on_progress))

    async def upload_file(
        self,
        file: Recording,
        *,
        session_id: str | None = None,
        chunk_bytes: int | None = None,
        parallel: int = 4,
        on_progress: OnSent | None = None,
        on_begin: OnBegin | None = None,
    ) -> Uploaded:
        """Send a recording in chunks: several at once, over breaks of the connection and restarts of the server.

        Make a job of it with ``chunked_uploads.finalize``.

        Args:
            file: The recording; an open file has to be one that can be read anywhere.
            session_id: Of an upload of the same recording that was interrupted: only what is missing is sent.
            chunk_bytes: Of each chunk, 64 KiB to 8 MiB; by the size of the recording if not given.
            parallel: Chunks that are sent at once.
            on_progress: Told the bytes that the server has, and how many there are in all.
            on_begin: Told the id of the upload before anything is sent, so that it can be kept.

        Raises:
            InvalidOption: The recording has another size than that upload, or cannot be read anywhere.
            UploadExpired: That upload was given up.
            Conflict: It is over, or was of a recording with other bytes.
            TimedOut: Somebody else has been making a job of it for ten minutes.
            WhispercoreError: The server refuses it.
        """
        source = Source.of(file)
        steps = uploading(self.transport, source, session_id=session_id, chunk_bytes=chunk_bytes, parallel=parallel)
        async with aclosing(steps):
            async for step in steps:
                if isinstance(step, Uploaded):
                    return step
                step.tell(on_begin, on_progress)
        raise AssertionError("an upload ends with what was uploaded")

    async def upload_encrypted(
        self, file: Recording, *, own_key: str | None = None, options: JobOptions | None = None
    ) -> StoredFileInfo:
        """Encrypt a recording, send it, and queue its transcription. What travels, and what is stored, is encrypted.

        Each part is encrypted on its way with a key that is made for this recording; that key is encrypted for the
        server, which has to read it to transcribe it. Needs the extra ``encryption``.

        Args:
            file: The recording; an open file has to be one that can be read anywhere, as it is read twice.
            own_key: The caller's public key, as ``files_v1.keys.replace`` was given it: the key is encrypted for it
                too, here and not at the server.
            options: How to transcribe it.

        Raises:
            InvalidOption: The recording cannot be read anywhere, the key is none, or the extra is missing.
            EncryptedForAnother: That key is not the caller's.
            WhispercoreError: The server refuses it.
        """
        async with aclosing(encrypting(self.transport, file, own_key, options)) as steps:
            return await anext(steps)

    async def transcribe(
        self,
        file: Recording | None = None,
        *,
        url: str | None = None,
        model: str | None = None,
        fallback: Sequence[str] = (),
        language: str | None = None,
        languages: Sequence[str] | str = (),
        code_switching: bool = False,
        prompt: str | None = None,
        translate: bool = False,
        temperature: float = 0.0,
        temperature_step: float = 0.2,
        beam_size: int = 1,
        words: bool = False,
        channels: Literal["mix", "separate"] = "mix",
        diarize: bool = False,
        speakers: int | None = None,
        keep_damaged: bool = False,
        vad: Vad | bool = True,
        hallucinations: Policy = "flag",
        cut_loops: bool = False,
        condition_on_previous_text: bool = False,
        priority: Priority = "normal",
        webhook_id: str | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> JobDetail:
        """Upload a recording, in chunks if it is large, wait for its transcription, and give the job with it.

        In place of the recording there may be a ``url``, where the server fetches it from. The options are those of
        ``jobs.create``, the rest those of ``wait``. Who is cancelled while waiting leaves the job going on at the
        server.

        Raises:
            JobFailed: It failed, or was cancelled.
            TimedOut: It is not finished in time.
            WhispercoreError: The server refuses it.
        """
        options = JobOptions(
            model=model,
            fallback=list(fallback),
            language=language,
            languages=languages,
            code_switching=code_switching,
            prompt=prompt,
            translate=translate,
            temperature=temperature,
            temperature_step=temperature_step,
            beam_size=beam_size,
            words=words,
            channels=channels,
            diarize=diarize,
            speakers=speakers,
            keep_damaged=keep_damaged,
            **vad_fields(vad),
            hallucinations=hallucinations,
            cut_loops=cut_loops,
            condition_on_previous_text=condition_on_previous_text,
            priority=priority,
            webhook_id=webhook_id,
        )
        async with aclosing(submitting(self.transport, file, url, options)) as steps:
            job_id = await anext(steps)
        return await self.wait_for_completion(job_id, timeout_s=timeout_s, on_progress=on_progress)
