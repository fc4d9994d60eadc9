"""Which HTTP status stands for which error: the one table."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from whispercore import errors

STATUS: Final[dict[type[errors.WhispercoreError], HTTPStatus]] = {
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.InvalidOption: HTTPStatus.BAD_REQUEST,
    errors.SuspiciousInput: HTTPStatus.BAD_REQUEST,
    errors.UploadIncomplete: HTTPStatus.BAD_REQUEST,
    errors.WrongChecksum: HTTPStatus.BAD_REQUEST,
    errors.EncryptedForAnother: HTTPStatus.BAD_REQUEST,
    errors.EncryptedPartDamaged: HTTPStatus.BAD_REQUEST,
    errors.ModelError: HTTPStatus.BAD_REQUEST,
    errors.EngineMissing: HTTPStatus.BAD_REQUEST,
    errors.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    errors.NotPermitted: HTTPStatus.FORBIDDEN,
    errors.CsrfRefused: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.UploadExpired: HTTPStatus.GONE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    errors.WrongContentType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.NotMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.MediaError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.InternalError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NoRoom: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.QuotaExceeded: HTTPStatus.INSUFFICIENT_STORAGE,
}


def status_of(error: errors.WhispercoreError) -> HTTPStatus:
    """The status for an error, by the nearest of its classes; 500 for what no caller can help."""
    return status_for(type(error))


def status_for(error: type[errors.WhispercoreError]) -> HTTPStatus:
    """The same for a class of errors."""
    return next((STATUS[kind] for kind in error.__mro__ if kind in STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)
