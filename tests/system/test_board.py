"""The board in a real browser, over real Kafka, fusion and alerting.

Needs Chromium: `apt-get install -y --no-install-recommends chromium fonts-dejavu`.
"""

import json
import os
import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from vigil.v1.images_pb2 import ImageFinding
from vigil.v1.notes_pb2 import Assertion, Entity, Experiencer, NoteCoded, Temporality
from vigil.v1.risk_pb2 import PatientRisk, Score

from services.common.clock import to_timestamp
from services.common.topics import Topic
from services.nlp_coder.document import load_grammar, read
from services.nlp_coder.findings import findings_of
from services.nlp_coder.messages import add_findings
from services.nlp_coder.report_terms import load_report_terms
from tests.stacks import Stack, running_stack, until
from tests.system.board_patients import ILL, TEXT, WELL, WORDS, Patient, span_of

pytestmark = pytest.mark.timeout(600)

DESK = ViewportSize(width=1440, height=900)
PHONE = ViewportSize(width=390, height=844)
STALE_WITHIN_MS = 25_000  # banner after 10 s of silence, on a machine that does other things too


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("board"), only="kafka,fusion,alerting") as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """The board on a desk's screen; fails when the page loads or runs what its policy refuses."""
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    page.on("request", lambda asked: None if asked.url.startswith(stack.url("alerting")) else faults.append(asked.url))
    stack.until_ready("alerting")  # a process that a test had stood still starts afresh once it notices
    page.goto(stack.url("alerting"))
    yield page
    context.close()
    assert faults == []


def row_of(page: Page, patient: Patient) -> str:
    return f".row[data-key='{patient.key}']"


def kill_and_await(stack: Stack) -> None:
    """Kill alerting and wait until the supervisor has brought it back."""
    killed = stack.status()["alerting"]["pid"]
    os.kill(int(killed), signal.SIGKILL)
    stack.until_status("alerting", lambda row: row["state"] == "running" and row["pid"] not in {None, killed})

    def ready() -> bool:
        try:
            return httpx.get(f"{stack.url('alerting')}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    until(ready, bool, 60, "alerting is ready")


def expect_heat_region_verdict_and_draft(page: Page) -> None:
    page.wait_for_function("document.querySelector('.heat')?.width === 64")
    expect(page.locator(".picture .region rect")).to_have_attribute("width", "25")
    expect(page.locator(".findings li small").nth(1)).to_have_text("cannot tell")
    expect(page.locator(".draft")).to_contain_text("largest 23 x 18 mm")


def test_an_alert_appears_opens_its_evidence_and_stays_acknowledged_after_a_kill(stack: Stack, page: Page) -> None:
    patient = Patient(stack, "07")
    patient.admit()
    patient.measure(WELL)
    row = page.locator(row_of(page, patient))
    expect(row).to_have_attribute("data-severity", "none", timeout=30_000)

    patient.measure(ILL)
    expect(row).to_have_attribute("data-severity", "high", timeout=30_000)
    expect(row).to_contain_text("NEWS2 is 8")
    expect(page.locator("#announcer")).to_contain_text("bed 07")

    patient.write_note()
    patient.take_image()
    expect(row).to_have_attribute("data-severity", "critical", timeout=30_000)
    row.click()
    card = page.locator(".alert[data-severity='critical']").first
    card.get_by_role("button", name="Note").first.click()
    expect(page.locator("mark").first).to_have_text(WORDS)
    expect(page.locator(".note-text")).to_have_text(TEXT)
    codes = page.locator(".code")
    expect(codes.first).to_contain_text("J93.9")
    expect(codes.first).to_contain_text("91 %")
    expect(codes.nth(1)).to_contain_text("family history · not billable as it stands")
    expect(codes.nth(1)).to_contain_text("Rests on: breast cancer, of a relative")
    codes.nth(1).click()
    expect(page.locator(".coded.on")).to_have_text(["Mother", "breast cancer"])
    page.locator(".withheld summary").click()
    expect(codes.nth(2)).to_contain_text("the note denies it")
    audited = page.locator(".audit .code")
    expect(audited).to_contain_text("J90")
    expect(audited).to_contain_text("the note denies it, or tells it of somebody else, of the future")
    audited.click()
    expect(page.locator(".coded.on")).to_have_text(["effusion"])
    page.keyboard.press("4")
    expect(page.locator(".note-list button")).to_contain_text(["Radiology"])
    expect(page.locator(".note-text")).to_have_text(TEXT)
    codes.first.click()
    expect(page.locator(".coded.on")).to_have_text([WORDS])
    card.get_by_role("button", name="Image").first.click()
    expect(page.locator(".picture img")).to_be_visible()
    expect_heat_region_verdict_and_draft(page)
    assert page.evaluate("document.querySelector('.picture img').naturalWidth") == 64

    acknowledge(page)
    expect(card).to_have_attribute("data-state", "acknowledged", timeout=15_000)
    kill_and_await(stack)
    patient.measure(ILL | {"sbp": 105})
    expect(row).to_contain_text("105", timeout=60_000)  # the open page found its way back by itself
    page.reload()
    page.locator(row_of(page, patient)).click(timeout=30_000)
    kept = page.locator(".alert[data-severity='critical']").first
    expect(kept).to_have_attribute("data-state", "acknowledged")
    expect(kept).to_contain_text("by RN: Treatment started — drain ready")


def acknowledge(page: Page) -> None:
    """By keyboard alone."""
    page.keyboard.press("a")
    page.keyboard.press("2")
    page.keyboard.press("Tab")
    page.keyboard.type("drain ready")
    page.keyboard.press("Tab")
    page.keyboard.type("RN")
    page.keyboard.press("Enter")


def test_the_board_says_when_its_feed_is_dead_and_when_it_is_back(stack: Stack, page: Page) -> None:
    expect(page.locator("#feed")).to_have_attribute("data-state", "live", timeout=30_000)
    pid = int(stack.status()["alerting"]["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        expect(page.locator("#stale")).to_be_visible(timeout=STALE_WITHIN_MS)
        expect(page.locator("#stale")).to_contain_text("Look at the patients")
        expect(page.locator("body")).to_have_class("is-stale")
        expect(page.locator("#feed")).to_contain_text("Stale")
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(page.locator("#stale")).to_be_hidden(timeout=30_000)
    expect(page.locator("#feed")).to_have_attribute("data-state", "live")


def test_alerts_that_began_while_the_feed_was_away_are_announced(page: Page) -> None:
    told = page.evaluate("""async () => {
        const { Store } = await import("/board/files/js/store.js");
        const store = new Store();
        const patient = (...ids) => [{ patient_key: "p", alerts: ids.map((id) => ({ id, state: "firing" })) }];
        const ids = (begun) => begun.flatMap(([, alerts]) => alerts.map((alert) => alert.id));
        return [ids(store.replaceAll(patient("old"))), ids(store.replaceAll(patient("old", "new")))];
    }""")
    assert told == [[], ["new"]]


def test_it_is_usable_by_keyboard(stack: Stack, page: Page) -> None:
    beds = [Patient(stack, bed) for bed in ("21", "22", "23")]
    for patient in beds:
        patient.admit()
        patient.measure(WELL)
    for patient in beds:
        expect(page.locator(row_of(page, patient))).to_be_visible(timeout=30_000)
    page.keyboard.press("Home")
    first = page.locator(".row").first
    expect(first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("j")
    expect(first).to_have_attribute("aria-selected", "false")
    expect(page.locator(".row").nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("k")
    expect(first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_be_focused()
    page.keyboard.press("3")
    expect(page.locator("table.score").first).to_contain_text("NEWS2")
    page.keyboard.press("Escape")
    expect(page.locator("#list")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Acknowledge the gravest alert")


def test_risks_are_shown_with_interval_drivers_and_the_reason_where_there_is_none(stack: Stack, page: Page) -> None:
    patient = Patient(stack, "51")
    patient.admit()
    patient.send(Topic.PATIENT_RISK, [judged(patient)])
    row = page.locator(row_of(page, patient))
    expect(row).to_contain_text("Death ▲ 34 %", timeout=30_000)
    expect(row).to_contain_text("Sepsis \u2013")
    row.click()
    expect(page.locator(".risks")).to_contain_text("Death in hospital ▲ 34 % 21 % to 49 %, up from 8 %")
    page.keyboard.press("5")
    card = page.locator(".risk-card[data-risk=mortality]")
    expect(card).to_contain_text("From the model's operating point of 30 %. Up from 8 %.")
    expect(card.locator(".drivers li").first).to_contain_text("▲ lactate 4.6 mmol/L, up 2.7, 40 min ago")
    expect(card).to_contain_text("Not measured: albumin.")
    expect(card.locator("svg")).to_be_visible()
    silent = page.locator(".risk-card[data-risk=sepsis]")
    expect(silent).to_contain_text("The model does not answer: under 16 years of age.")
    expect(silent.locator(".drivers")).to_have_count(0)


REPORT = (
    "INDICATION: 🙂 rule out pneumonia.\nFINDINGS: Moderate left pleural effusion, increased. Right IJ line with tip in"
    " the mid SVC. Possible atelectasis at the right base. Heart size is normal.\nIMPRESSION: No pneumothorax."
)


def test_a_report_is_shown_with_its_findings_marked_by_what_they_say(stack: Stack, page: Page) -> None:
    patient = Patient(stack, "61")
    patient.admit()
    meta = patient.meta()
    note = NoteCoded(meta=meta, note_message_id=f"note-{meta.message_id}", kind="radiology", text=REPORT)
    add_findings(note, findings_of(read(REPORT, load_grammar()), load_report_terms(), "radiology"))
    patient.send(Topic.NOTES_CODED, [note])
    page.locator(row_of(page, patient)).click(timeout=30_000)
    expect(page.locator("#detail")).to_contain_text("61 years", timeout=30_000)
    page.get_by_role("tab", name="Notes").click()
    expect(page.locator(".note-list button")).to_contain_text(["Radiology"], timeout=30_000)
    items = page.locator(".report .code")
    expect(items).to_contain_text(
        [
            "PresentPleural effusionmoderate · left · worse",
            "PresentSupport devicesright · central line · superior vena cava",
            "UncertainAtelectasis",
            "AbsentCardiomegaly",
            "AbsentPneumothorax",
        ]
    )
    text = page.locator(".note-text")
    expect(text).to_have_text(REPORT)
    expect(text.locator(".is-positive")).to_have_text(["pleural effusion", "IJ line"])
    expect(text.locator(".is-uncertain")).to_have_text(["atelectasis"])
    expect(text.locator(".is-negative")).to_have_text(["Heart size is normal", "pneumothorax"])
    tagged = text.locator("[data-tag]")
    expect(tagged).to_have_text(["IJ line", "Heart size is normal"])
    tags = tagged.evaluate_all("marks => marks.map(mark => mark.dataset.tag)")
    assert tags == ["support devices present", "cardiomegaly absent"]
    expect(text.locator(".of-finding")).to_contain_text(["Moderate"])
    text.locator(".is-positive").first.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("Finding: Pleural effusion present")
    expect(page.get_by_role("tooltip")).to_contain_text("Sideleft")
    items.first.click()
    expect(text.locator(".on")).to_have_text(["pleural effusion"])


BESIDE = "FINDINGS: 🙂 Pneumonia in the left lower lobe. No consolidation. No pleural effusion."


def test_a_report_is_shown_beside_the_image_that_it_is_of_and_opens_at_its_words(stack: Stack, page: Page) -> None:
    patient = Patient(stack, "66")
    patient.admit()
    seen = ImageFinding(label="pneumonia", probability=0.88, positive=True, threshold=0.5, verdict="positive")
    seen.places.add(region="left_lower_lung", share=0.7)
    seen.places.add(region="left_mid_lung", share=0.3)
    patient.take_image(seen)
    meta = patient.meta()
    note = NoteCoded(meta=meta, note_message_id=f"note-{meta.message_id}", kind="radiology", text=BESIDE)
    add_findings(note, findings_of(read(BESIDE, load_grammar()), load_report_terms(), "radiology"))
    patient.send(Topic.NOTES_CODED, [note])
    row = page.locator(row_of(page, patient))
    expect(row).to_have_attribute("data-severity", "critical", timeout=30_000)
    row.click()
    card = page.locator(".alert[data-severity='critical']").first
    card.get_by_role("button", name="Image").first.click()
    lines = page.locator(".code[data-verdict]")
    expect(lines).to_have_count(3, timeout=30_000)
    by_verdict = {verdict: page.locator(f".code[data-verdict={verdict}]") for verdict in COMPARED}
    for verdict, words in COMPARED.items():
        expect(by_verdict[verdict]).to_contain_text(words)
    by_verdict["agree"].click()
    expect(page.locator(".note-text")).to_have_text(BESIDE)
    expect(page.locator(".note-text mark")).to_have_text(["Pneumonia"])


COMPARED = {
    "agree": re.compile(
        r"AgreePneumonia.*Report positive \(left lower lobe\), image positive \(left lower lung.*both say"
    ),
    "disagree": re.compile(r"DisagreeConsolidation.*Report negative, image positive"),
    "cannot_tell": re.compile(r"Cannot tellPleural effusion.*Report negative: cxr_findings does not read for it"),
}

# Characters beyond 16 bits and combining ones before every mark: the board counts as the text was received.
NOTE = (
    "🙂 Cafe\u0301. Furosemide 40 mg IV twice a day was started. Allergic to penicillin. No fever. Possible stroke.\n"
    "Mother had left knee pain. Lactate 4.6 mmol/L. Chest pain denied."
)


def entity(type_: str, words: str, **fields: Any) -> Entity:
    """A mention of words of NOTE; attributes as {name: (words, normalised value)}."""
    said = fields.pop("said", {})
    found = Entity(
        type=type_,
        span=span_of(words, NOTE),
        **{
            "assertion": Assertion.ASSERTION_PRESENT,
            "temporality": Temporality.TEMPORALITY_CURRENT,
            "experiencer": Experiencer.EXPERIENCER_PATIENT,
            **fields,
        },
    )
    for name, (own, value) in said.items():
        found.attributes.add(name=name, span=span_of(own, NOTE), value=value)
    return found


def read_note() -> list[Entity]:
    said = {
        "dose": ("40 mg", "40 mg"),
        "route": ("IV", "intravenous"),
        "frequency": ("twice a day", "2/d"),
        "status": ("was started", "started"),
    }
    furosemide = entity("medication", "Furosemide", name="furosemide", said=said)
    furosemide.attributes[2].times_per_day = furosemide.attributes[2].times_per_day_high = 2
    allergy = entity(
        "medication",
        "penicillin",
        name="benzylpenicillin",
        assertion=Assertion.ASSERTION_CONDITIONAL,
        said={"status": ("Allergic to", "allergy")},
    )
    return [
        furosemide,
        allergy,
        entity("sign_symptom", "fever", name="fever", concept="SYMP:0000613", assertion=Assertion.ASSERTION_ABSENT),
        entity("disease", "stroke", code="I63.9", assertion=Assertion.ASSERTION_POSSIBLE),
        entity(
            "disease",
            "left knee pain",
            experiencer=Experiencer.EXPERIENCER_FAMILY,
            said={"laterality": ("left", "left")},
        ),
        entity("anatomy", "left knee"),
        entity("test", "Lactate", said={"value": ("4.6 mmol/L", "4.6 mmol/L"), "unit": ("mmol/L", "mmol/L")}),
        entity("sign_symptom", "Chest pain", assertion=Assertion.ASSERTION_ABSENT),
    ]


def write_read_note(patient: Patient) -> NoteCoded:
    meta = patient.meta()
    note = NoteCoded(meta=meta, note_message_id=f"note-{meta.message_id}", kind="progress", text=NOTE)
    note.entities.extend(read_note())
    note.entity_rules = "note"
    code = note.codes.add(code="I63.9", display="Cerebral infarction", score=0.7, selected=True)
    code.spans.append(span_of("Possible stroke", NOTE))
    patient.send(Topic.NOTES_CODED, [note])
    return note


def open_notes(stack: Stack, page: Page, bed: str) -> Patient:
    patient = Patient(stack, bed)
    patient.admit()
    write_read_note(patient)
    page.locator(row_of(page, patient)).click(timeout=30_000)
    page.keyboard.press("4")
    expect(page.locator(".note-list button")).to_contain_text(["Progress"], timeout=30_000)
    return patient


def test_entities_are_marked_by_type_and_assertion_in_a_text_that_stays_as_received(stack: Stack, page: Page) -> None:
    open_notes(stack, page, "62")
    text = page.locator(".note-text")
    assert text.evaluate("element => element.textContent") == NOTE
    marked = text.locator(".entity")
    expect(text.locator(".entity[data-type=medication]")).to_have_text(["Furosemide", "penicillin"])
    expect(text.locator(".entity[data-assertion=absent]")).to_have_text(["fever", "Chest pain"])
    expect(text.locator(".entity[data-assertion=possible]")).to_have_text(["stroke"])
    tags = "marks => marks.map(mark => mark.dataset.tag).filter(Boolean)"
    assert marked.evaluate_all(tags) == ["Rx", "Rx allergy", "Sx no", "Dx ?", "Dx family", "Te", "Sx no"]
    assert "line-through" in text.locator(".entity", has_text="fever").evaluate(
        "element => getComputedStyle(element).textDecorationLine"
    )
    stroke = text.locator(".entity", has_text="stroke")
    assert stroke.evaluate("element => getComputedStyle(element).outlineStyle") == "dotted"
    # The code's line stays below the entity's ground.
    expect(stroke).to_have_class(re.compile("coded"))
    assert stroke.evaluate("element => getComputedStyle(element).borderBottomStyle") == "dotted"
    text.locator(".entity", has_text="Furosemide").hover()
    tip = page.get_by_role("tooltip")
    for words in ("Medication present", "furosemide", "40 mg", "intravenous", "twice a day", "started"):
        expect(tip).to_contain_text(words)
    text.locator(".part", has_text="4.6").hover()
    expect(tip).to_contain_text("Result4.6 mmol/L")


def test_marks_are_read_by_keyboard_and_each_type_can_be_unmarked(stack: Stack, page: Page) -> None:
    patient = open_notes(stack, page, "63")
    text, tip = page.locator(".note-text"), page.get_by_role("tooltip")
    text.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(text.locator(":focus")).to_have_text("stroke")
    expect(tip).to_contain_text("Disease possible")
    expect(tip).to_contain_text("I63.9 Cerebral infarction")
    described = text.locator(":focus").get_attribute("aria-describedby")
    assert described == tip.get_attribute("id")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    expect(text.locator(":focus")).to_have_text("stroke")
    diseases = page.get_by_role("button", name="Diseases")
    diseases.press("Space")
    expect(diseases).to_have_attribute("aria-pressed", "false")
    expect(text.locator("[data-type=disease]")).to_have_count(0)
    expect(text.locator(".entity[data-type=anatomy]")).to_have_text(["left", " knee"])
    page.reload()
    page.locator(row_of(page, patient)).click(timeout=30_000)
    page.keyboard.press("4")
    expect(page.get_by_role("button", name="Diseases")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Unmark all").click()
    expect(text.locator(".entity")).to_have_count(0)
    assert text.evaluate("element => element.textContent") == NOTE
    page.get_by_role("button", name="Mark all").click()
    expect(text.locator("[data-type=disease]").first).to_be_visible()


def test_pieces_in_a_row_are_the_text_whatever_lies_over_what(page: Page) -> None:
    told = page.evaluate("""async () => {
        const { pieces } = await import("/board/files/js/marks.js");
        const text = "a🙂e\u0301 b🙂";
        const points = Array.from(text);
        const spans = [[0, 2], [1, 4], [1, 1], [3, 99], [-1, 2], [2, 6], [6, 7], [0, 7]];
        const made = pieces(text, spans.map((span) => ({ span })));
        const lies = (span, at) => span[0] >= 0 && span[1] <= points.length && span[0] <= at && at < span[1];
        let at = 0;
        const right = made.every((piece) => {
            const over = spans.filter((span) => lies(span, at)).map(String).sort();
            at += Array.from(piece.text).length;
            return JSON.stringify(piece.over.map((one) => String(one.span)).sort()) === JSON.stringify(over);
        });
        return [made.map((piece) => piece.text).join("") === text, right, pieces("", [{ span: [0, 1] }]).length];
    }""")
    assert told == [True, True, 0]


def test_medications_are_shown_over_time_with_allergies_first_and_disagreements(stack: Stack, page: Page) -> None:
    patient = Patient(stack, "64")
    patient.admit()
    page.locator(row_of(page, patient)).click(timeout=30_000)
    page.keyboard.press("6")
    expect(page.locator("#tab-body")).to_contain_text("No note of this patient has been read.")
    first = write_read_note(patient)
    allergy = page.locator(".allergies li")
    expect(allergy).to_contain_text(["Benzylpenicillin"], timeout=30_000)
    row = page.locator(".line[data-ingredient=furosemide]")
    expect(row.locator(".ingredient")).to_contain_text("40 mg intravenous twice a day · started")

    meta = patient.meta()
    said = {"dose": ("4.6", "80 mg"), "status": ("twice", "continued")}
    later = NoteCoded(meta=meta, note_message_id=f"note-{meta.message_id}", kind="nursing", text=NOTE)
    later.entities.append(entity("medication", "Furosemide", name="furosemide", said=said))
    given = {"dose": ("40 mg", "1 g"), "status": ("was started", "started")}
    later.entities.append(entity("medication", "penicillin", name="benzylpenicillin", said=given))
    patient.send(Topic.NOTES_CODED, [later])
    expect(row.locator(".point")).to_have_count(2, timeout=30_000)
    expect(row.locator(".disagrees")).to_have_text(
        "≠ Differ: Dose 80 mg after 40 mg; no note says that it was changed."
    )
    expect(allergy.locator(".grave")).to_contain_text("An allergy to benzylpenicillin is stated, and that it is taken.")
    expect(page.locator("#tab-body")).to_contain_text("One note is read without the entity model")
    row.locator(".point").last.focus()
    expect(page.get_by_role("tooltip")).to_contain_text("Nursing note")

    page.get_by_role("button", name="As a table").click()
    table = page.get_by_role("region", name="Medications as a table")
    expect(table.locator("tbody[data-ingredient=furosemide] tr").first).to_contain_text("started")
    page.get_by_role("button", name="By time").click()

    corrected = NoteCoded()
    corrected.CopyFrom(first)
    corrected.meta.revision = 1
    del corrected.entities[0]
    patient.send(Topic.NOTES_CODED, [corrected, first])  # and the first version once more, late
    expect(row.locator(".point")).to_have_count(1, timeout=30_000)
    row.locator(".point").click()
    expect(page.get_by_role("tab", name="Notes")).to_have_attribute("aria-selected", "true")
    expect(page.locator("mark")).to_have_text("Furosemide")
    answer = httpx.get(f"{stack.url('alerting')}/patients/{patient.key}/medications").json()
    kill_and_await(stack)
    assert httpx.get(f"{stack.url('alerting')}/patients/{patient.key}/medications").json() == answer


def judged(patient: Patient) -> PatientRisk:
    """As fusion would publish it, newer than what it published."""
    risk = PatientRisk(meta=patient.meta(), ward="ICU", bed=patient.bed, scores=[Score(name="news2")])
    risk.meta.revision = 1000
    risk.as_of.CopyFrom(risk.meta.event_time)
    said = risk.estimates.add(name="mortality", probability=0.34, low=0.21, high=0.49, alarm=True, operating_point=0.3)
    said.as_of.CopyFrom(risk.as_of)
    said.drivers.add(name="lactate", weight=0.8, sentence="lactate 4.6 mmol/L, up 2.7, 40 min ago")
    said.missing.append("albumin")
    for hours, probability in ((6, 0.08), (0, 0.34)):
        at = datetime.now(UTC) - timedelta(hours=hours)
        said.trend.add(probability=probability).at.CopyFrom(to_timestamp(at))
    risk.estimates.add(name="sepsis", abstained="under 16 years of age")
    return risk


def test_trends_say_plainly_that_fusion_does_not_answer(stack: Stack, page: Page) -> None:
    patient = Patient(stack, "31")
    patient.admit()
    patient.measure(WELL)
    page.locator(row_of(page, patient)).click(timeout=30_000)
    expect(page.locator(".chart").first).to_be_visible(timeout=15_000)
    pid = int(stack.status()["fusion"]["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        page.reload()
        page.locator(row_of(page, patient)).click(timeout=30_000)
        expect(page.locator("#tab-body")).to_contain_text("Fusion does not answer", timeout=15_000)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_phone_shows_it_without_sideways_scrolling(stack: Stack, browser: Browser) -> None:
    patient = Patient(stack, "41")
    patient.admit()
    patient.measure(ILL)
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(stack.url("alerting"))
    page.locator(row_of(page, patient)).tap(timeout=30_000)
    expect(page.locator("#detail")).to_contain_text("NEWS2 is 8")
    expect(page.locator("#patients")).to_be_hidden()
    wide = json.loads(page.evaluate("JSON.stringify([document.documentElement.scrollWidth, innerWidth])"))
    assert wide[0] <= wide[1]
    under = (
        "[document.querySelector('.bar').offsetHeight + 'px', getComputedStyle(document.querySelector('.tabs')).top]"
    )
    bar, tabs = page.evaluate(under)
    assert tabs == bar, "the tabs stop below the bar"
    write_read_note(patient)
    for tab in ("Notes", "Medications"):
        page.get_by_role("tab", name=tab).tap()
        expect(page.locator(".entity, .point").first).to_be_visible(timeout=30_000)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab
    page.get_by_role("button", name="As a table").tap()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="All patients").tap()
    expect(page.locator("#patients")).to_be_visible()
    context.close()


def test_across_a_room_every_tile_shows_all_of_its_values(stack: Stack, page: Page) -> None:
    patient = Patient(stack, "71")
    patient.admit()
    patient.measure(ILL)
    patient.write_note()
    row = page.locator(row_of(page, patient))
    expect(row.locator(".say")).to_be_visible(timeout=30_000)
    page.set_viewport_size(ViewportSize(width=DESK["width"], height=240))  # no room to spare
    page.keyboard.press("w")
    cut = "rows => rows.filter(row => row.scrollHeight > row.clientHeight + 1).map(row => row.dataset.bed)"
    assert page.locator(".row").evaluate_all(cut) == []


def test_a_patient_without_any_vital_sign_has_the_age_of_what_is_known(stack: Stack, page: Page) -> None:
    patient = Patient(stack, "61")
    patient.write_note()
    expect(page.locator(row_of(page, patient)).locator(".age")).to_have_text(re.compile(r"now|\d+ min"), timeout=30_000)
