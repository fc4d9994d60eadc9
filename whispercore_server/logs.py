"""The log of a server: one JSON object a line, as programs read it, or text for people at a terminal."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import orjson
import structlog

from whispercore import tracing
from whispercore_server import log_stream
from whispercore_server.measuring import REQUESTS
from whispercore_server.request_info import REQUEST_ID_NOW
from whispercore_server.settings import ServerSettings

OURS: Final = ("whispercore", "whispercore_server")
_PLACES: Final = ("timestamp", "severity", "service", "trace_id", "span_id", "request_id", "attributes", "message")

_Event = MutableMapping[str, Any]


def configure(settings: ServerSettings) -> None:
    """Write the log of this process to stderr, as the settings say. Other packages are heard from ``warning`` on.

    A program that has set up its log before keeps it.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    form = settings.log_format
    is_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = log_stream.to_stderr()
    handler.setFormatter(_text() if is_text else _json())
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(settings.log_level.upper())
    logging.getLogger(REQUESTS).setLevel(logging.INFO if settings.log_requests else logging.WARNING)


def _json() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), structlog.processors.TimeStamper(fmt="iso", utc=True)],
        processors=[_arranged, structlog.processors.JSONRenderer(serializer=_dumped)],
    )


def _text() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.ExtraAdder(),
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and "NO_COLOR" not in os.environ),
        ],
    )


def _arranged(_: Any, __: str, event: _Event) -> Mapping[str, Any]:
    """The fields in their places; what else is known becomes an attribute."""
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    trace_id, span_id = tracing.ids() or (None, None)
    message = event.pop("event")
    timestamp = event.pop("timestamp")
    raised = event.pop("exc_info", None)
    if raised is not None and raised[0] is not None:
        event["exception"] = logging.Formatter().formatException(raised)
    event["logger"] = record.name
    fields = (timestamp, record.levelname, "whispercore", trace_id, span_id, REQUEST_ID_NOW.get(), dict(event), message)
    return dict(zip(_PLACES, fields, strict=True))


def _dumped(event: Mapping[str, Any], **_: Any) -> str:
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:  # of names of files that are not UTF-8, which the other one can write
        return json.dumps(event, default=str)
