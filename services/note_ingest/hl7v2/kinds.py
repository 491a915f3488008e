"""Which kind of note a document type means."""

import re

# HL7 table 0270 (TXA-2) and LOINC document types; the kinds are those of NoteReceived.
DOCUMENT_TYPES = {
    "CN": "consult",
    "DI": "radiology",
    "DS": "discharge",
    "ED": "emergency",
    "OP": "operative",
    "PC": "operative",
    "PN": "progress",
    "SP": "operative",
    "NU": "nursing",
    "NN": "nursing",
    "11488-4": "consult",
    "11504-8": "operative",
    "11506-3": "progress",
    "11526-1": "other",
    "18748-4": "radiology",
    "18842-5": "discharge",
    "28570-0": "operative",
    "34111-5": "emergency",
    "34117-2": "other",
    "34746-8": "nursing",
    "34878-9": "emergency",
    "68604-8": "radiology",
    "28651-8": "nursing",
    "57133-1": "consult",
}
# HL7 table 0074 (OBR-24, diagnostic service section): imaging.
IMAGING_SECTIONS = {
    "RAD",
    "RX",
    "CT",
    "CTH",
    "NMR",
    "NMS",
    "RUS",
    "OUS",
    "VUS",
    "CUS",
    "XRC",
    "MRI",
    "MR",
    "CR",
    "DX",
    "US",
    "IMG",
}
WORDS = {
    "nurs": "nursing",
    "radiolog": "radiology",
    "radiograph": "radiology",
    "x-ray": "radiology",
    "ultrasound": "radiology",
    "sonogra": "radiology",
    "mammogra": "radiology",
    "tomograph": "radiology",
    "magnetic resonance": "radiology",
    "discharge": "discharge",
    "consult": "consult",
    "emergency": "emergency",
    "operative": "operative",
    "procedure": "operative",
    "progress": "progress",
}
# Names of imaging studies by whole words, as ordering systems and the RadLex Playbook shorten them.
IMAGING_STUDY = re.compile(
    r"(?<![a-z0-9])(?:xr|cxr|kub|ct(?![ _-]*surg)|cta|ctpa|hrct|mri?|mra|mrcp|us|x ray|xray|"
    r"chest (?:pa|ap|lateral|portable|\d views?)|portable chest)(?![a-z0-9])"
)


def kind_of(type_code: str, type_name: str = "", file_name: str = "", section: str = "") -> str:
    """The kind by the type's code, else by its name; radiology by the section of a report or its study; else "other".

    A study is looked for in code and name only: a file's name may say "Mr".
    """
    if type_code.upper() in DOCUMENT_TYPES:
        return DOCUMENT_TYPES[type_code.upper()]
    if section.upper() in IMAGING_SECTIONS:
        return "radiology"
    words = f"{type_code} {type_name} {file_name}".lower()
    named = next((kind for word, kind in WORDS.items() if word in words), "")
    if named:
        return named
    return "radiology" if IMAGING_STUDY.search(f"{type_code} {type_name}".lower()) else "other"
