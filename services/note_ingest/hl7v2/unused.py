"""Messages that hospitals also send, and why nothing is made of them here."""

# By message type; the sentence goes on after "ADT^A29 is not used by this receiver: ".
TYPES = {
    "ACK": "it answers a message, and this receiver sends none",
    "BAR": "billing accounts carry no clinical data for it",
    "DFT": "financial transactions carry no clinical data for it",
    "MFN": "it keeps no master files",
    "OMG": "orders ask for results; the results come as ORU^R01",
    "OML": "laboratory orders ask for results; the results come as ORU^R01",
    "OMI": "imaging orders ask for images and reports; those come by DICOM and ORU^R01 or MDM",
    "ORM": "orders ask for results; the results come as ORU^R01",
    "ORL": "it answers an order, and this receiver places none",
    "ORR": "it answers an order, and this receiver places none",
    "PPR": "problem lists are not followed; diagnoses come in DG1 of ADT, or as FHIR Condition",
    "QBP": "it answers no queries",
    "RAS": "medication administrations are not followed",
    "RDE": "pharmacy orders are not followed",
    "RDS": "pharmacy dispenses are not followed",
    "REF": "referrals carry no current state of an inpatient",
    "SIU": "scheduling messages carry no clinical data for it",
    "SRM": "scheduling messages carry no clinical data for it",
    "VXU": "vaccination records are not followed",
}
# By message type and trigger, where others of the type are used.
EVENTS = {
    "ADT^A17": "swapping two patients' beds comes as two ADT^A02",
    "ADT^A18": "merges come as ADT^A40",
    "ADT^A20": "the state of an empty bed is about no patient",
    "ADT^A24": "links between persons are not followed",
    "ADT^A29": "what is known about a patient is kept, not deleted by a feed",
    "ADT^A30": "merges come as ADT^A40",
    "ADT^A34": "merges come as ADT^A40",
    "ADT^A37": "links between persons are not followed",
    "ADT^A41": "account numbers are not kept, so there is nothing to merge",
    "ADT^A44": "account numbers are not kept, so there is nothing to move",
    "ADT^A45": "moving a visit to another patient is not supported; send ADT^A40, or cancel and admit",
    "ADT^A60": "allergies are not followed",
}
