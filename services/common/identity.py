"""Ids that a replay makes again, and keys that say nothing about a person."""

import hashlib
import hmac
import uuid

from services.common.settings import SharedSettings

NAMESPACE = uuid.UUID("6f1d3c0a-8a57-5d0e-9a64-5c1d0f5b7e21")
KEY_HEX_DIGITS = 32
MIN_SECRET_BYTES = 16


def message_id(*parts: str) -> str:
    """UUIDv5 of what caused a message, e.g. `message_id("coded", note_message_id)`. Same parts, same id."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))


class PatientKeys:
    """Makes patient, encounter and accession keys: HMAC-SHA-256 of authority and identifier, 32 hex digits.

    Without the secret a key cannot be guessed from an identifier, nor the identifier found from the key.
    Raises ValueError for a secret under 16 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError(f"the patient key secret needs at least {MIN_SECRET_BYTES} bytes")
        self._secret = secret

    def key(self, authority: str, identifier: str) -> str:
        """Key of one identifier; empty for an empty identifier. Case and outer blanks of both are ignored."""
        if not identifier.strip():
            return ""
        text = f"{authority.strip().upper()}\x1f{identifier.strip().upper()}"
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()[:KEY_HEX_DIGITS]


def load_patient_keys(settings: SharedSettings) -> PatientKeys:
    """Keys from VIGIL_PATIENT_KEY_SECRET, else from the file that the stack made.

    Raises ValueError when neither is there.
    """
    if settings.patient_key_secret is not None:
        return PatientKeys(settings.patient_key_secret.get_secret_value().encode())
    try:
        return PatientKeys(settings.patient_key_file.read_bytes().strip())
    except FileNotFoundError:
        raise ValueError(
            f"no patient key secret: set VIGIL_PATIENT_KEY_SECRET, or put one into {settings.patient_key_file}"
        ) from None
