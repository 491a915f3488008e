"""DocumentReference, DiagnosticReport and Composition as notes."""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.note_ingest.drafts import Draft, Identity, Note, version_at
from services.note_ingest.fhir.narrative import words_of_narrative
from services.note_ingest.fhir.reading import Reading
from services.note_ingest.fhir.resources import (
    Resource,
    codes_of,
    identity_of,
    own_number,
    required,
    words_of,
)
from services.note_ingest.hl7v2.kinds import kind_of
from services.note_ingest.refusals import BAD_VALUE, MISSING, NOT_READ, Refused

PRELIMINARY = {"registered", "partial", "preliminary"}
CHANGED = {"amended", "corrected", "appended"}
RADIOLOGY_CATEGORY = {"LP29684-5"}
TAKEN_BACK = {"entered-in-error", "superseded", "cancelled"}  # of a document or report


def read_document_reference(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """The document's text, which must be in the resource; without one when it was taken back or superseded."""
    concept, categories = resource.get("type") or {}, resource.get("category", ())
    kind, type_code = _kind(concept, categories), _type_code(concept)
    if {required(resource, "status"), resource.get("docStatus")} & TAKEN_BACK:
        return (_withdrawal(resource, read, kind, type_code),)
    attachments = [content.get("attachment") or {} for content in resource["content"]]
    return (
        Note(
            subject=read.subject(resource),
            event_time=read.time(resource, "date", "context.period.start"),
            text=_attached(attachments, "DocumentReference.content", ".attachment"),
            kind=kind,
            document_id=_document_id(resource),
            version=_version(resource.get("docStatus"), read.time(resource, "meta.lastUpdated", "date")),
            preliminary=resource.get("docStatus") in PRELIMINARY,
            type_code=type_code,
            language=_language(resource, attachments),
            replaces=_replaced(resource, read),
        ),
    )


def read_diagnostic_report(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """The report's text: presentedForm as far as it is plain text, else the conclusion.

    Its results are Observations of their own.
    """
    status, concept = required(resource, "status"), resource.get("code") or {}
    kind, type_code = _kind(concept, resource.get("category", ())), _type_code(concept)
    if status in TAKEN_BACK:
        return (_withdrawal(resource, read, kind, type_code),)
    forms = resource.get("presentedForm", ())
    text = str(resource.get("conclusion", ""))
    if any(map(_is_plain, forms)) or (forms and not text.strip()):
        text = _attached(forms, "DiagnosticReport.presentedForm")
    if not text.strip():
        if resource.get("result"):
            return ()
        raise Refused(MISSING, "The report has no text", "DiagnosticReport.presentedForm")
    ordered = [i for order in resource.get("basedOn", ()) if (i := identity_of(order.get("identifier") or {}))]
    document_id = _document_id(resource)
    accession = Identity("", ordered[0].identifier if ordered else document_id)
    return (
        Note(
            subject=read.subject(resource),
            event_time=read.time(resource, "effectiveDateTime", "effectivePeriod.end", "issued"),
            text=text,
            kind=kind,
            document_id=document_id,
            version=_version(status, read.time(resource, "issued")),
            preliminary=status in PRELIMINARY,
            type_code=type_code,
            language=_language(resource, forms),
            accession=accession if accession.identifier else None,
        ),
    )


def read_composition(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """The narrative of the sections, each under its title."""
    status, concept = required(resource, "status"), resource.get("type") or {}
    kind, type_code = _kind(concept, resource.get("category", ())), _type_code(concept)
    if status in TAKEN_BACK:
        return (_withdrawal(resource, read, kind, type_code),)
    text = "\n\n".join(_sections(resource.get("section", ()))).strip()
    if not text:
        raise Refused(MISSING, "The document has no text in its sections", "Composition.section")
    return (
        Note(
            subject=read.subject(resource),
            event_time=read.time(resource, "date"),
            text=text,
            kind=kind,
            document_id=_document_id(resource),
            version=_version(status, read.time(resource, "date")),
            preliminary=status in PRELIMINARY,
            type_code=type_code,
            language=str(resource.get("language", "")),
            replaces=_replaced(resource, read),
        ),
    )


def _withdrawal(resource: Resource, read: Reading, kind: str, type_code: str) -> Note:
    """Dated by when it was recorded: the resource's own times are those of what is taken back."""
    document_id, type_ = _document_id(resource), resource["resourceType"]
    if not document_id:
        raise Refused(MISSING, "What was taken back or superseded needs its identifier", f"{type_}.identifier")
    return Note(
        subject=read.subject(resource),
        event_time=read.time(resource, "effectiveDateTime", "effectivePeriod.end", "issued", "date"),
        text="",
        kind=kind,
        document_id=document_id,
        version=version_at(read.time(resource)),
        type_code=type_code,
        withdrawn=True,
    )


def _document_id(resource: Resource) -> str:
    """The master identifier of a DocumentReference, else the first identifier; empty without one."""
    master = identity_of(resource.get("masterIdentifier") or {})
    return master.identifier if master else own_number(resource)


def _replaced(resource: Resource, read: Reading) -> str:
    """Number of the document that this one replaces (relatesTo), else what its address ends with; empty for none.

    An address of ours ends with the message id of the note.
    """
    for related in resource.get("relatesTo", ()):
        if related.get("code") != "replaces":
            continue
        target = related.get("target") or related.get("targetReference") or {}
        named = identity_of(related.get("targetIdentifier") or target.get("identifier") or {})
        found = read.references.resolve(target, resource)
        address = str(target.get("reference", "")).split("/_history/", maxsplit=1)[0]
        number = named.identifier if named else _document_id(found) if found is not None else ""
        if number or "/" in address:
            return number or address.rsplit("/", maxsplit=1)[-1]
    return ""


def _is_plain(attachment: Resource) -> bool:
    return str(attachment.get("contentType", "text/plain")).partition(";")[0].strip().lower() == "text/plain"


def _attached(attachments: Any, place: str, below: str = "") -> str:
    """Text of the first attachment that is plain text. Raises Refused when none is, or it is only linked."""
    for index, attachment in enumerate(attachments):
        if not _is_plain(attachment):
            continue
        where = f"{place}[{index}]{below}"
        if not attachment.get("data"):
            raise Refused(MISSING, "The text must be in data; links are not followed", f"{where}.data")
        parameters = str(attachment.get("contentType", "")).partition(";")[2]
        charset = parameters.partition("charset=")[2].strip().strip('"') or "utf-8"
        try:
            return base64.b64decode("".join(str(attachment["data"]).split()), validate=True).decode(charset)
        except (binascii.Error, ValueError, LookupError):
            raise Refused(BAD_VALUE, "The text cannot be decoded", f"{where}.data") from None
    raise Refused(NOT_READ, "Only text/plain is read", f"{place}[0]{below}.contentType")


def _type_code(concept: Resource) -> str:
    return next((code.code for code in codes_of(concept) if code.system), "")


def _kind(concept: Resource, categories: Any) -> str:
    sections = {code.code for category in categories for code in codes_of(category)}
    if sections & RADIOLOGY_CATEGORY:
        return "radiology"
    kinds = [kind_of(code.code, section=section) for code in codes_of(concept) for section in ("", *sorted(sections))]
    return next((kind for kind in kinds if kind != "other"), kind_of("", words_of(concept)))


def _version(status: Any, changed: datetime) -> int:
    return version_at(changed) if status in CHANGED else 0


def _language(resource: Resource, attachments: Any) -> str:
    stated = next((str(a["language"]) for a in attachments if a.get("language")), resource.get("language", ""))
    return str(stated or "")


def _sections(sections: Any) -> Iterator[str]:
    for section in sections:
        text = words_of_narrative(str((section.get("text") or {}).get("div", "")))
        if text:
            yield f"{section['title']}\n{text}" if section.get("title") else text
        yield from _sections(section.get("section", ()))
