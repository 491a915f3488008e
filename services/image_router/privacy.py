"""Libraries that log what they read must not."""

import logging

import pydicom.config


def keep_values_out_of_logs() -> None:
    """Pydicom warns by quoting the value it finds odd, which may be a name; warnings come as logs."""
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    logging.getLogger("py.warnings").setLevel(logging.CRITICAL)
