"""The board in a real browser, over real Kafka, fusion and alerting.

Needs Chromium: `apt-get install -y --no-install-recommends chromium fonts-dejavu`.
"""

import asyncio
import io
import json
import os
import re
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from vigil.v1.encounters_pb2 import Encounter, EncounterStatus
from vigil.v1.images_pb2 import ImageFinding, ImageFindings, ImageIdentity, Region, ReportSentence, Scope
from vigil.v1.meta_pb2 import Meta, ModelVersion, Span
from vigil.v1.notes_pb2 import Assertion, AuditVerdict, Experiencer, NoteCode, NoteCoded, Temporality
from vigil.v1.observations_pb2 import Observation, ObservationsReceived, ObservationStatus
from vigil.v1.risk_pb2 import PatientRisk, Score

from services.common.blobs import BlobStore
from services.common.bus import Producer, Publish
from services.common.clock import to_timestamp
from services.common.topics import Topic
from services.nlp_coder.document import load_grammar, read
from services.nlp_coder.findings import findings_of
from services.nlp_coder.messages import add_findings
from services.nlp_coder.report_terms import load_report_terms
from tests.stacks import Stack, running_stack, until

pytestmark = pytest.mark.timeout(600)

TEXT = (
    "Seen after the line. There is a right pneumothorax, 3 cm. Température normale 🙂. No effusion. "
    "Mother with breast cancer."
)
WORDS = "right pneumothorax"
WELL = {"resp_rate": 16, "spo2": 97, "sbp": 122, "heart_rate": 74, "temperature": 36.8, "gcs": 15}
ILL = WELL | {"resp_rate": 27, "spo2": 88, "heart_rate": 124}
UNITS = {"spo2": "%", "sbp": "mm[Hg]", "temperature": "Cel", "gcs": "{score}"}
DESK = ViewportSize(width=1440, height=900)
PHONE = ViewportSize(width=390, height=844)
STALE_WITHIN_MS = 25_000  # banner after 10 s of silence, on a machine that does other things too

Message = Encounter | ObservationsReceived | NoteCoded | ImageFindings | PatientRisk


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


class Patient:
    """One made-up patient in a bed of a test's own."""

    def __init__(self, stack: Stack, bed: str) -> None:
        self.stack, self.bed, self.key = stack, bed, bed.encode().hex().rjust(32, "0")
        self.sent = 0

    def meta(self) -> Meta:
        self.sent += 1
        now = to_timestamp(datetime.now(UTC) - timedelta(minutes=20) + timedelta(seconds=self.sent))
        return Meta(
            message_id=f"{self.bed}-{self.sent}",
            event_time=now,
            ingest_time=to_timestamp(datetime.now(UTC)),
            patient_key=self.key,
            encounter_key=self.key,
            schema_version=1,
            synthetic=True,
        )

    def send(self, topic: Topic, messages: Sequence[Message]) -> None:
        async def publish() -> None:
            async with Producer(self.stack.settings, "test") as producer:
                await producer.publish_all([Publish(topic, self.key, message) for message in messages])

        # Playwright has a loop of its own in this thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, publish()).result()

    def admit(self) -> None:
        status = EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS
        admitted = Encounter(meta=self.meta(), status=status, ward="ICU", bed=self.bed, age_years=61)
        self.send(Topic.ENCOUNTERS, [admitted])

    def measure(self, values: dict[str, float]) -> None:
        meta = self.meta()
        measured = [
            Observation(
                observation_id=f"{meta.message_id}-{name}",
                name=name,
                value=value,
                unit=UNITS.get(name, "/min"),
                event_time=meta.event_time,
                status=ObservationStatus.OBSERVATION_STATUS_FINAL,
            )
            for name, value in (values | {"fio2": 21}).items()
        ]
        for one in measured:
            one.unit = "%" if one.name == "fio2" else one.unit
        self.send(Topic.OBSERVATIONS_RECEIVED, [ObservationsReceived(meta=meta, observations=measured)])

    def write_note(self) -> None:
        pneumothorax = NoteCode(
            code="J93.9",
            display="Pneumothorax, unspecified",
            score=0.91,
            selected=True,
            spans=[span_of(WORDS)],
            assertion=Assertion.ASSERTION_PRESENT,
            temporality=Temporality.TEMPORALITY_CURRENT,
            experiencer=Experiencer.EXPERIENCER_PATIENT,
            billable=True,
        )
        family = NoteCode(
            code="Z80.3",
            display="Family history of malignant neoplasm of breast",
            score=0.4,
            selected=True,
            spans=[span_of("Mother"), span_of("breast cancer")],
            rationale="breast cancer, of a relative",
            assertion=Assertion.ASSERTION_PRESENT,
            temporality=Temporality.TEMPORALITY_CURRENT,
            experiencer=Experiencer.EXPERIENCER_FAMILY,
        )
        effusion = NoteCode(
            code="J90", display="Pleural effusion", score=0.2, spans=[span_of("effusion")], withheld="denied"
        )
        meta = self.meta()
        codes = [pneumothorax, family, effusion]
        note = NoteCoded(meta=meta, note_message_id=f"note-{meta.message_id}", kind="radiology", text=TEXT, codes=codes)
        note.audit.add(
            code="J90", display="Pleural effusion", verdict=AuditVerdict.AUDIT_VERDICT_CONTRADICTED
        ).spans.append(span_of("effusion"))
        self.send(Topic.NOTES_CODED, [note])

    def take_image(self) -> None:
        blobs = BlobStore(self.stack.settings.blob_url)
        meta = self.meta()
        image = ImageFindings(
            meta=meta,
            image=ImageIdentity(
                study_instance_uid="1.2.3", sop_instance_uid="1.2.3.4", modality="DX", body_part="CHEST"
            ),
            image_message_id=f"image-{meta.message_id}",
            scope=Scope(in_scope=True),
            findings=[
                ImageFinding(label="pneumothorax", probability=0.93, positive=True, threshold=0.5, verdict="positive"),
                ImageFinding(label="pneumonia", probability=0.4, threshold=0.5, verdict="cannot_tell"),
            ],
            regions=[Region(label="lung_lesion", x0=0.25, y0=0.25, x1=0.5, y1=0.75, length_mm=23, width_mm=18)],
            report=[ReportSentence(text="Outlined: largest 23 x 18 mm.", label="lung_lesion")],
            preview=blobs.put(grey(60), "image/png"),
            heatmap=blobs.put(grey(200), "image/png"),
            model=ModelVersion(name="cxr_findings", version="1", sha256="ab" * 32),
        )
        self.send(Topic.IMAGE_FINDINGS, [image])


def span_of(words: str) -> Span:
    start = TEXT.index(words)
    return Span(start=start, end=start + len(words))


def grey(level: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (64, 48), level).save(out, "PNG")
    return out.getvalue()


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
    items.first.click()
    expect(text.locator(".on")).to_have_text(["pleural effusion"])


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
