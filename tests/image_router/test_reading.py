import io
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from vigil.v1.images_pb2 import ImageFindings, ImageIdentity, ImageReceived

from services.common.clock import utc_now
from services.common.outcomes import Invalid
from services.common.triton import ModelUnavailable
from services.image_router.handlers import ImageReading, read_received_image
from services.image_router.outage import Outage
from services.image_router.reading import Reader, Reading, as_message, probe, read_image, render
from services.image_router.scope import MODELS
from services.image_router.store import DICOM
from tests.image_router.fakes import LocalModels, MemoryBlobs, model_config
from tests.image_router.samples import as_file, as_picture, gradient, radiograph, sample_bytes, ward_film

PNEUMONIA = ward_film("chest_pneumonia.jpg")
CLEAR = ward_film("chest_clear_a.jpg")
BRAIN = ward_film("brain_glioma.jpg")


def reader(away: int = 0, wait_s: float = 5.0) -> Reader:
    return Reader(LocalModels(away), max_pixels=10**8, outage=Outage(wait_s), preview_side=256)


def nobody() -> None:
    """Watches."""


async def read_film(pixels: NDArray[np.uint8], **attributes: object) -> Reading:
    return await read_image(as_file(radiograph(pixels, **attributes)), reader())


async def test_a_chest_film_gets_findings_with_probabilities_and_operating_points() -> None:
    reading = await read_film(PNEUMONIA, PatientAge="067Y")
    assert reading.scope.in_scope
    assert reading.scope.population == "adult"
    pneumonia, no_finding = reading.findings
    assert (pneumonia.label, no_finding.label) == ("pneumonia", "no_finding")
    assert pneumonia.probability + no_finding.probability == pytest.approx(1, abs=1e-4)
    assert pneumonia.positive == (pneumonia.probability >= pneumonia.threshold)
    assert reading.version is not None
    assert len(reading.version.sha256) == 64


async def test_a_film_with_pneumonia_is_more_suspicious_than_a_clear_one() -> None:
    ill, well = await read_film(PNEUMONIA), await read_film(CLEAR)
    assert ill.findings[0].probability > well.findings[0].probability


async def test_dicom_png_and_jpeg_of_one_film_get_the_same_answer() -> None:
    dicom = (await read_film(PNEUMONIA)).findings[0].probability
    png = (await read_image(as_picture(PNEUMONIA, "PNG"), reader())).findings[0].probability
    jpeg = (await read_image(as_picture(PNEUMONIA, "JPEG", quality=95), reader())).findings[0].probability
    assert png == pytest.approx(dicom, abs=1e-3)
    assert jpeg == pytest.approx(dicom, abs=0.1)


async def test_a_brain_sent_as_a_chest_film_is_abstained_from_by_its_pixels() -> None:
    reading = await read_film(BRAIN)
    assert not reading.scope.in_scope
    assert "pixels" in reading.scope.reason
    assert reading.findings == []


@pytest.mark.parametrize(
    ("film", "spoilt", "words"),
    [
        (PNEUMONIA, 255 - PNEUMONIA, "black and white had been exchanged"),
        (PNEUMONIA, np.rot90(PNEUMONIA), "turned by 90° to the left"),
        (CLEAR, np.rot90(CLEAR, -1), "turned by 90° to the right"),
        (CLEAR, np.rot90(CLEAR, 2), "upside down"),
    ],
)
async def test_inverted_and_turned_films_are_put_right_and_it_is_said(
    film: NDArray[np.uint8], spoilt: NDArray[np.uint8], words: str
) -> None:
    reading = await read_image(as_picture(np.ascontiguousarray(spoilt), "PNG"), reader())
    assert reading.scope.in_scope
    assert words in reading.scope.reason
    upright = await read_image(as_picture(film, "PNG"), reader())
    assert upright.scope.reason == ""
    assert reading.findings[0].probability == pytest.approx(upright.findings[0].probability, abs=0.01)
    assert reading.answer is not None
    assert upright.answer is not None
    assert upright.answer.heatmap is not None
    assert reading.answer.heatmap is not None
    spoil = {"turned by 90° to the left": 1, "turned by 90° to the right": -1, "upside down": 2}.get(words, 0)
    np.testing.assert_allclose(reading.answer.heatmap, np.rot90(upright.answer.heatmap, spoil), atol=0.5)


async def test_between_the_operating_points_the_answer_is_that_it_cannot_tell() -> None:
    verdicts = {}
    for name in ("chest_pneumonia.jpg", "chest_clear_a.jpg", "chest_hyperinflated.jpg"):
        pneumonia, no_finding = (await read_film(ward_film(name))).findings
        verdicts[pneumonia.verdict] = pneumonia.probability
        assert (pneumonia.verdict == "positive") == pneumonia.positive
        assert (pneumonia.verdict == "negative") == no_finding.positive
    assert set(verdicts) <= {"positive", "negative", "cannot_tell"}


async def test_the_draft_of_a_report_is_preliminary_and_rests_on_findings() -> None:
    message = as_message(await read_film(PNEUMONIA), ImageIdentity())
    assert message.report[0].text == "Frontal chest radiograph."
    assert {sentence.label for sentence in message.report} <= {"", "pneumonia", "no_finding"}
    assert message.report[-1].text.startswith("Preliminary")


async def test_a_ct_is_abstained_from_without_asking_a_model() -> None:
    asked = reader()
    reading = await read_image(sample_bytes("CT_small.dcm"), asked)
    assert not reading.scope.in_scope
    assert "CT" in reading.scope.reason
    assert reading.version is None
    assert isinstance(asked.triton, LocalModels)
    assert asked.triton.calls == 0


def brain_slice(pixels: NDArray[np.uint8]) -> bytes:
    orientation = {"PixelSpacing": [0.9, 0.9], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    tags = {"Modality": "MR", "BodyPartExamined": "BRAIN", "ViewPosition": None, "PresentationIntentType": None}
    return as_file(radiograph(np.ascontiguousarray(pixels), **(tags | orientation)))


async def test_a_slice_of_the_brain_gets_a_tumour_class_and_a_measured_outline() -> None:
    reading = await read_image(brain_slice(BRAIN), reader())
    assert reading.scope.in_scope
    likeliest = max(reading.findings, key=lambda finding: finding.probability)
    assert likeliest.label == "glioma"
    assert sum(finding.probability for finding in reading.findings) == pytest.approx(1, abs=1e-4)
    [region] = reading.regions
    assert (region.label, region.model.name) == ("tumour", "brain_mri_tumour")
    assert region.area_mm2 == pytest.approx(region.area_fraction * BRAIN.size * 0.81, rel=1e-3)
    assert region.length_mm >= region.width_mm > 0
    assert "the patient's" in region.position or "middle" in region.position or "centre" in region.position
    rendered = render(reading, 256)
    with Image.open(io.BytesIO(rendered.masks[0])) as mask:
        assert mask.size == BRAIN.shape[::-1]
        assert set(np.unique(np.asarray(mask))) == {0, 255}


async def test_what_was_outlined_in_a_turned_slice_lies_where_it_was_sent() -> None:
    upright = (await read_image(brain_slice(BRAIN), reader())).region
    turned = await read_image(brain_slice(np.rot90(BRAIN)), reader())
    assert "turned by 90° to the left" in turned.scope.reason
    assert upright is not None
    assert turned.region is not None
    same = np.rot90(upright.mask) & turned.region.mask
    assert 2 * same.sum() / (upright.mask.sum() + turned.region.mask.sum()) > 0.95


async def test_an_inverted_slice_is_outlined_and_its_heat_lies_where_those_of_the_slice_do() -> None:
    upright = await read_image(brain_slice(BRAIN), reader())
    inverted = await read_image(brain_slice(np.invert(BRAIN)), reader())
    assert "black and white had been exchanged" in inverted.scope.reason
    assert upright.region is not None
    assert inverted.region is not None
    assert inverted.region.box == pytest.approx(upright.region.box, abs=0.02)
    heat, same = (np.asarray(Image.open(io.BytesIO(render(one, 0).heatmap)), np.float32) for one in (upright, inverted))
    assert np.corrcoef(heat.ravel(), same.ravel())[0, 1] > 0.99


async def test_a_model_that_names_but_does_not_outline_is_helped_by_the_one_that_does() -> None:
    class Naming(LocalModels):
        async def model_parameters(self, model: str) -> Mapping[str, str]:
            known = await super().model_parameters(model)
            return {**known, "region": ""} if model == "brain_mri_tumour" else known

    apart = await read_image(brain_slice(BRAIN), replace(reader(), triton=Naming()))
    at_once = await read_image(brain_slice(BRAIN), reader())
    assert [region.model.name for region in apart.regions] == ["brain_mri_segmentation"]
    assert apart.region is not None
    assert at_once.region is not None
    assert (apart.region.mask == at_once.region.mask).all()


async def test_a_model_that_only_outlines_can_be_asked_for_by_name() -> None:
    reading = await read_image(as_picture(BRAIN, "PNG"), reader(), "brain_mri_segmentation")
    assert reading.findings == []
    assert [region.label for region in reading.regions] == ["tumour"]
    assert not reading.regions[0].HasField("area_mm2")


async def test_a_picture_without_tags_goes_to_the_model_that_it_is_like() -> None:
    for film, name in ((CLEAR, "cxr_findings"), (BRAIN, "brain_mri_tumour")):
        reading = await read_image(as_picture(film, "PNG"), reader())
        assert reading.version is not None
        assert reading.version.name == name


@pytest.mark.parametrize("name", MODELS)
async def test_no_model_reads_noise_or_a_blank_picture(name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    for picture in (noise, np.full((200, 200), 90, np.uint8)):
        assert not (await read_image(as_picture(picture, "PNG"), reader(), name)).scope.in_scope


async def test_a_colour_photograph_is_abstained_from() -> None:
    photograph = np.zeros((64, 64, 3), np.uint8)
    photograph[..., 0] = gradient(64, 64)
    reading = await read_image(as_picture(photograph, "PNG"), reader())
    assert not reading.scope.in_scope
    assert "colour" in reading.scope.reason


async def test_an_unknown_model_is_invalid_and_those_there_are_named() -> None:
    with pytest.raises(Invalid, match="cxr_findings"):
        await read_image(as_picture(CLEAR, "PNG"), reader(), "crystal_ball")


async def test_a_short_absence_of_triton_is_waited_for() -> None:
    reading = await read_image(as_picture(CLEAR, "PNG"), reader(away=2))
    assert reading.degraded_reason == ""
    assert reading.findings


async def test_a_long_absence_of_triton_gives_a_labelled_result_without_findings() -> None:
    reading = await read_image(as_picture(CLEAR, "PNG"), reader(away=10**6, wait_s=0.2))
    assert "UNAVAILABLE" in reading.degraded_reason
    assert reading.scope.in_scope
    assert reading.findings == []


async def test_one_outage_is_waited_for_once_and_whoever_waits_is_seen_to_be_alive() -> None:
    moments = iter(range(1000))
    ticks: list[None] = []
    outage = Outage(wait_s=3, now=lambda: float(next(moments)))
    away = Reader(LocalModels(away=10**6), max_pixels=10**8, outage=outage, preview_side=256)
    for _ in range(2):
        reading = await read_image(as_picture(CLEAR, "PNG"), away, on_wait=lambda: ticks.append(None))
        assert reading.degraded_reason
    # The first image fails at 0 and sees 1, 2 and 3 pass; the second one finds the time over.
    assert len(ticks) == 2


async def test_an_outage_that_ended_leaves_the_next_one_its_whole_time() -> None:
    outage = Outage(wait_s=30)
    away_once = Reader(LocalModels(away=1), max_pixels=10**8, outage=outage, preview_side=256)
    assert (await read_image(as_picture(CLEAR, "PNG"), away_once)).findings
    assert outage.away_since is None


def received(blobs: MemoryBlobs, content: bytes) -> ImageReceived:
    image = ImageReceived(blob=blobs.put(content, DICOM))
    image.meta.message_id, image.meta.patient_key = "m1", "k" * 32
    image.meta.event_time.FromSeconds(1_700_000_000)
    return image


async def handle(content: bytes) -> tuple[ImageFindings, MemoryBlobs]:
    blobs = MemoryBlobs()
    publish = await read_received_image(received(blobs, content), ImageReading(reader(), blobs, utc_now, nobody))
    assert publish.key == "k" * 32
    assert isinstance(publish.message, ImageFindings)
    return publish.message, blobs


async def test_findings_carry_their_cause_and_pictures_of_the_right_size() -> None:
    message, blobs = await handle(as_file(radiograph(PNEUMONIA)))
    assert message.image_message_id == "m1"
    assert message.meta.event_time.seconds == 1_700_000_000
    with Image.open(io.BytesIO(blobs.get(message.heatmap))) as heatmap:
        assert (heatmap.mode, heatmap.size) == ("L", PNEUMONIA.shape[::-1])
    with Image.open(io.BytesIO(blobs.get(message.preview))) as preview:
        assert max(preview.size) == 256


async def test_the_same_image_read_twice_is_the_same_message() -> None:
    content = as_file(radiograph(CLEAR))
    first, second = (await handle(content))[0], (await handle(content))[0]
    assert first.meta.message_id == second.meta.message_id
    assert first.heatmap.sha256 == second.heatmap.sha256


async def test_out_of_scope_there_is_no_heat_map() -> None:
    message, _ = await handle(as_file(radiograph(BRAIN)))
    assert not message.HasField("heatmap")
    assert message.HasField("preview")
    assert message.HasField("model")


async def test_broken_pixel_data_and_lost_blobs_are_invalid() -> None:
    dataset = radiograph(CLEAR)
    dataset.PixelData = dataset.PixelData[:100]
    with pytest.raises(Invalid, match="pixel data"):
        await handle(as_file(dataset))
    image = received(MemoryBlobs(), b"gone")
    with pytest.raises(Invalid, match="claim check"):
        await read_received_image(image, ImageReading(reader(), MemoryBlobs(), utc_now, nobody))


async def test_a_films_finding_says_where_it_lies_and_a_turned_or_mirrored_one_where_it_is_known() -> None:
    def shares(reading: Reading) -> dict[str, float]:
        return {place.region: place.share for place in reading.findings[0].places}

    usual, mirrored = await read_film(PNEUMONIA), await read_film(PNEUMONIA, PatientOrientation=["R", "F"])
    assert sum(shares(usual).values()) == pytest.approx(1)
    assert shares(usual)["left_lower_lung"] == shares(mirrored)["right_lower_lung"]
    assert not usual.findings[1].places
    turned = await read_film(np.ascontiguousarray(np.rot90(PNEUMONIA, 2)))
    assert turned.scope.in_scope
    assert shares(turned) == {}


async def test_the_question_of_the_order_chooses_the_operating_point_and_the_answer_says_so() -> None:
    async def read(**attributes: object) -> ImageFindings:
        return as_message(await read_film(PNEUMONIA, **attributes), ImageIdentity())

    usual, ruled_out, confirmed = (
        await read(),
        await read(ReasonForTheRequestedProcedure="Rule out pneumonia"),
        await read(ReasonForTheRequestedProcedure="Confirm pneumonia"),
    )
    said = [(one.question, one.operating_point) for one in (usual, ruled_out, confirmed)]
    assert said == [("", "default"), ("rule_out", "high_sensitivity"), ("confirm", "high_specificity")]
    pneumonia = [one.findings[0].threshold for one in (ruled_out, usual, confirmed)]
    assert pneumonia == sorted(set(pneumonia))
    assert "judged for high sensitivity" in ruled_out.report[0].text
    assert ruled_out.findings[0].probability == usual.findings[0].probability


async def test_the_caller_may_ask_a_question_of_a_file_without_tags() -> None:
    reading = await read_image(as_picture(CLEAR, "PNG"), reader(), question="screening")
    assert reading.choice.point == "high_sensitivity"
    assert {finding.verdict for finding in reading.findings} <= {"positive", "negative"}


async def test_a_probability_has_the_interval_that_its_model_has_measured() -> None:
    pneumonia, no_finding = (await read_film(PNEUMONIA)).findings
    assert 0 < pneumonia.low < pneumonia.probability < pneumonia.high < 1
    assert (no_finding.low, no_finding.high) == pytest.approx((1 - pneumonia.high, 1 - pneumonia.low), abs=1e-4)
    half = float(model_config("cxr_findings").parameters["interval_logit"].string_value)
    logits = [math.log(p / (1 - p)) for p in (pneumonia.low, pneumonia.probability, pneumonia.high)]
    assert np.diff(logits) == pytest.approx([half, half], abs=1e-4)
    brain = await read_image(brain_slice(BRAIN), reader())
    assert all(finding.low < finding.probability < finding.high for finding in brain.findings)


async def test_readiness_asks_the_models_that_are_not_known_to_answer() -> None:
    await probe(reader(away=10**6), answering=frozenset(MODELS))
    with pytest.raises(ModelUnavailable, match="cxr_findings"):
        await probe(reader(away=10**6), answering=frozenset(MODELS) - {"cxr_findings"})
