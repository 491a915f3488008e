"""Ids that a replay makes again, and keys that say nothing about a person."""

import hashlib
import hmac
import re
import uuid
from collections.abc import Mapping

from services.common.settings import MIN_SECRET_BYTES, SharedSettings
from services.common.startup import CannotStart

NAMESPACE = uuid.UUID("6f1d3c0a-8a57-5d0e-9a64-5c1d0f5b7e21")
KEY_HEX_DIGITS = 32
OID = re.compile(r"(?:URN:OID:)?([0-2](?:\.[0-9]+)+)")


def message_id(*parts: str) -> str:
    """UUIDv5 of what caused a message, e.g. `message_id("coded", note_message_id)`. Same parts, same id."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))


def canonical_authority(stated: str) -> str:
    """One form of an authority's name, upper case: an OID is "URN:OID:1.2.3", with or without its prefix."""
    name = stated.strip().upper()
    oid = OID.fullmatch(name)
    return f"URN:OID:{oid[1]}" if oid else name


def canonical_aliases(stated: Mapping[str, str]) -> dict[str, str]:
    """Other names of authorities, as given in the settings, by their one form."""
    return {canonical_authority(name): canonical_authority(authority) for name, authority in stated.items()}


def authority_of(stated: str, aliases: Mapping[str, str], default: str) -> str:
    """The name that keys are made with. aliases: of `canonical_aliases`. default: where none is stated."""
    name = canonical_authority(stated)
    return aliases.get(name, name) or canonical_authority(default)


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

    Raises CannotStart when neither is there, or the file holds too little.
    """
    if settings.patient_key_secret is not None:
        return PatientKeys(settings.patient_key_secret.get_secret_value().encode())
    file = settings.patient_key_file
    try:
        return PatientKeys(file.read_bytes().strip())
    except FileNotFoundError:
        raise CannotStart(f"no patient key secret: set VIGIL_PATIENT_KEY_SECRET, or put one into {file}") from None
    except ValueError:
        raise CannotStart(
            f"{file} holds fewer than {MIN_SECRET_BYTES} bytes; put its secret back from a copy"
        ) from None
