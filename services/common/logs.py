"""Structured logs: one JSON object a line on standard error, without identifiers of people.

Bind topic, partition, offset and message_id. Never a name, an MRN, a key's origin or text of a note.
"""

import logging
import sys
import traceback
from collections.abc import Iterator

import structlog
from structlog.typing import EventDict, WrappedLogger


def frames(error: BaseException) -> Iterator[str]:
    """The error's class and its places in the code, then those of what caused it. Never its text, which may quote."""
    yield type(error).__qualname__
    yield from (f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__))
    causes = error.exceptions if isinstance(error, BaseExceptionGroup) else (error.__cause__ or error.__context__,)
    for cause in causes:
        if cause is not None:
            yield from frames(cause)


def _where_it_failed(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """In place of a traceback, whose last line is the error's text: classes and places."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"] = list(frames(error))
    return event


def configure_logs(service: str, level: str) -> None:
    """Route structlog and the standard library's loggers to JSON lines that carry `service`."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        _where_it_failed,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)
    structlog.contextvars.bind_contextvars(service=service)
    # These log what they carry or every reconnect; their warnings are what an operator needs.
    for chatty in ("aiokafka", "kafka", "pynetdicom", "pydicom", "httpx", "faust", "mode", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
