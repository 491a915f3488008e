"""FHIR R4 resources: validation with fhir.resources, references within a request, and small readings of data types.

Resources stay the plain mappings of their JSON; validation runs first, so that the readers may trust types.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from services.note_ingest.drafts import About, Code, Identity, Sex
from services.note_ingest.refusals import BAD_VALUE, LONGEST_REASON, MALFORMED, MISSING, WRONG_TYPE, Refused

Resource = Mapping[str, Any]

MAX_ISSUES = 20
TEST_LABEL = "HTEST"  # HL7 v3 ActReason: test health data
PATIENT_NUMBER_TYPES = {"MR", "PI", "PT"}
# Literal references; the id and the base are FHIR's own forms. Conditional ones name an identifier.
BY_ID = re.compile(r"(?:(https?://[^?#]+)/)?Patient/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?")
BY_IDENTIFIER = re.compile(r"Patient\?identifier=(?:([^|&]*)\|)?([^|&]+)")
UNKNOWN_MEMBER = "extra_forbidden"
SEXES = {"female": Sex.FEMALE, "male": Sex.MALE, "other": Sex.OTHER}
FAULT_WORDS = {
    "missing": "is required",
    UNKNOWN_MEMBER: "has a member that FHIR R4 does not know",
}


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault: `expression` is a FHIRPath, `reason` a sentence of ours."""

    expression: str
    reason: str


class InvalidResource(Refused):
    """The resource is not FHIR R4; every fault is told."""

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__(BAD_VALUE, issues[0].reason, issues[0].expression)
        self.issues = issues


def parse_json(body: bytes) -> dict[str, Any]:
    """The resource in `body`. Raises Refused when it is no JSON object with a resourceType."""
    try:
        resource = json.loads(body, parse_constant=_no_number, object_pairs_hook=_present)
        if b"\\u" in body:
            json.dumps(resource, ensure_ascii=False).encode()  # half a surrogate pair is no character
    except (ValueError, RecursionError):
        raise Refused(MALFORMED, "The body is no JSON") from None
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise Refused(MALFORMED, "The body is no FHIR resource: resourceType is missing", "resourceType")
    return resource


def _present(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without what is null, which FHIR takes for absent."""
    return {name: value for name, value in pairs if value is not None}


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def validate(resource: Resource) -> None:
    """Hold a resource against FHIR R4. Raises InvalidResource with every fault, Refused for a type that is none."""
    kind = str(resource["resourceType"])
    model = load_model(kind)
    try:
        model.model_validate(resource)
    except ValidationError as error:
        raise InvalidResource([_issue(kind, fault) for fault in error.errors()[:MAX_ISSUES]]) from None
    except RecursionError:
        raise Refused(MALFORMED, "The resource is nested too deeply", kind) from None
    except (KeyError, TypeError):  # how the models fail where a resource inside is of no type they know
        raise Refused(WRONG_TYPE, "A resource inside is of no type of FHIR R4", kind) from None


def load_model(kind: str) -> Any:
    """The model of a resource type, loaded once. Raises Refused for a type that is none."""
    try:
        model = get_fhir_model_class(kind)
    except (LookupError, AttributeError, ImportError, ValueError):
        raise Refused(WRONG_TYPE, "resourceType names no resource of FHIR R4", "resourceType") from None
    model.model_rebuild()
    return model


def _issue(kind: str, fault: Mapping[str, Any]) -> Issue:
    # The name of an unknown member is the sender's own word, which may be a patient's: only what it is in is told.
    steps = fault["loc"][:-1] if fault["type"] == UNKNOWN_MEMBER else fault["loc"]
    path = kind + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    words = FAULT_WORDS.get(fault["type"], "has a value that FHIR R4 does not allow here")
    return Issue(path, f"{path[: LONGEST_REASON - len(words) - 1]} {words}")


@dataclass(slots=True)
class References:
    """Resources of one request that others may point at.

    id_authority: of patients who are known only by a relative reference; empty for the site's default one.
    """

    id_authority: str = ""
    by_url: dict[str, Resource] = field(default_factory=dict)
    _urls: dict[int, str] = field(default_factory=dict)

    def add(self, resource: Resource, full_url: str = "") -> None:
        """Make `resource` known under its full URL and as "Type/id"."""
        if full_url:
            self.by_url[full_url] = resource
            self._urls[id(resource)] = full_url
        if resource.get("id"):
            self.by_url.setdefault(f"{resource['resourceType']}/{resource['id']}", resource)

    def resolve(self, reference: Resource, owner: Resource) -> Resource | None:
        """What `reference` points at: within `owner`, or within the request; None when it is neither."""
        target = str(reference.get("reference", ""))
        if target.startswith("#"):
            return next((r for r in owner.get("contained", ()) if r.get("id") == target[1:]), None)
        unversioned = target.split("/_history/", maxsplit=1)[0]
        return self.by_url.get(unversioned) or self.by_url.get("/".join(unversioned.split("/")[-2:]))

    def patient(self, resource: Resource, element: str) -> tuple[Identity, Resource | None]:
        """The patient that `resource.element` names. Raises Refused without an identifier."""
        reference = resource.get(element) or {}
        place = f"{resource['resourceType']}.{element}"
        found = self.resolve(reference, resource)
        if found is not None and found["resourceType"] == "Patient":
            return self.identity(found, place, contained=str(reference["reference"]).startswith("#")), found
        identity = identity_of(reference.get("identifier") or {})
        identity = identity or self._by_reference(str(reference.get("reference", "")))
        if identity is None:
            raise Refused(
                MISSING,
                "The patient is needed: name an identifier or Patient/id, or send the Patient in the same Bundle",
                place,
            )
        return identity, None

    def identity(self, patient: Resource, place: str = "Patient.identifier", *, contained: bool = False) -> Identity:
        """The identifier that names the patient to a hospital, else its id at its server.

        Raises Refused without either: ids of contained resources, and beside a urn:uuid, are of this request alone.
        """
        usable = [i for i in patient.get("identifier", ()) if identity_of(i) and i.get("use") != "old"]
        best = min(usable, key=_identifier_rank, default=None)
        address = self._urls.get(id(patient)) or ("" if contained else f"Patient/{patient.get('id', '')}")
        identity = identity_of(best) if best is not None else self._by_reference(address)
        if identity is None:
            raise Refused(MISSING, "The Patient has no identifier", place)
        return identity

    def _by_reference(self, reference: str) -> Identity | None:
        """Whom "Patient/123" names: the id is an identifier under its server's address, else under `id_authority`."""
        if found := BY_ID.fullmatch(reference):
            return Identity(found[1] or self.id_authority, found[2])
        if found := BY_IDENTIFIER.fullmatch(unquote(reference)):
            return Identity(found[1] or "", found[2].strip()) if found[2].strip() else None
        return None

    def visit(self, resource: Resource, reference: Resource) -> Identity | None:
        """The encounter's identifier; None when it is not in the request."""
        found = self.resolve(reference, resource)
        identifiers = found.get("identifier", ()) if found is not None else [reference.get("identifier") or {}]
        return next((identity for i in identifiers if (identity := identity_of(i))), None)


def identity_of(identifier: Resource) -> Identity | None:
    """An Identifier as system and value; None without a value."""
    value = str(identifier.get("value", "")).strip()
    return Identity(str(identifier.get("system", "")), value) if value else None


def own_number(resource: Resource) -> str:
    """Value of the resource's first identifier, of one or a list; empty without one."""
    stated = resource.get("identifier", ())
    identifiers = (stated,) if isinstance(stated, Mapping) else stated
    return next((i.identifier for entry in identifiers if (i := identity_of(entry))), "")


def required(resource: Resource, element: str) -> str:
    """A code that FHIR requires. Raises Refused without one: an extension in its place passes validation."""
    place = f"{resource['resourceType']}.{element}"
    if not resource.get(element):
        raise Refused(MISSING, f"{place} is required", place)
    return str(resource[element])


def about_person(patient: Resource | None) -> About:
    """Birth date and sex as a Patient states them; nothing for none."""
    if patient is None:
        return About()
    return About(born=day(patient.get("birthDate")), sex=SEXES.get(str(patient.get("gender")), Sex.UNSTATED))


def _identifier_rank(identifier: Resource) -> int:
    types = {code.code for code in codes_of(identifier.get("type") or {})}
    return 0 if types & PATIENT_NUMBER_TYPES else 1 if identifier.get("use") in {"usual", "official"} else 2


def codes_of(concept: Resource) -> tuple[Code, ...]:
    """Codings of a CodeableConcept, in order; its text when it has none."""
    codings = tuple(Code(str(c["code"]), str(c.get("system", ""))) for c in concept.get("coding", ()) if c.get("code"))
    return codings or ((Code(str(concept["text"]), ""),) if concept.get("text") else ())


def words_of(concept: Resource) -> str:
    """A CodeableConcept in words: a display, else its text, else a code."""
    displays = [str(c["display"]) for c in concept.get("coding", ()) if c.get("display")]
    return displays[0] if displays else str(concept.get("text", "")) or next((c.code for c in codes_of(concept)), "")


def is_test(resources: Iterable[Resource]) -> bool:
    """Whether any of the resources is labelled as test data."""
    return any(
        label.get("code") == TEST_LABEL
        for resource in resources
        for name in ("tag", "security")
        for label in (resource.get("meta") or {}).get(name, ())
    )


def moment(value: Any, place: str) -> datetime | None:
    """A dateTime or instant; what it leaves out counts as its beginning, no zone as UTC. None when absent."""
    if not value:
        return None
    text = str(value)
    parts = text.split("T", maxsplit=1)[0].split("-")
    try:
        if "T" not in text:
            year, month, date_ = (int(part) for part in [*parts, "1", "1"][:3])
            return datetime(year, month, date_, tzinfo=UTC)
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(BAD_VALUE, "The time cannot be read", place) from None


def day(value: Any) -> date | None:
    """A complete date; None for one that is absent or only a year or month."""
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None
