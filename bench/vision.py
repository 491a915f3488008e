"""Images through the running image-router and Triton, beside the same models in bare onnxruntime, in this process."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnxruntime
import psutil
from numpy.typing import NDArray
from vigil.v1.image_router_service_pb2 import ReadImageRequest
from vigil.v1.image_router_service_pb2_grpc import ImageRouterServiceStub

from services.common.settings import SharedSettings
from services.common.triton import TritonClient
from services.image_router.models import ImageModel, load_model, prepared
from services.image_router.pixels import file_picture
from services.image_router.preprocessing import read_part
from services.image_router.regions import Geometry, outlined
from services.image_router.rendering import heatmap_png, mask_png
from services.image_router.scope import DECLARED
from ward.account import quantiles

PICTURES = Path(__file__).resolve().parents[1] / "ward" / "pictures"
# The models that a picture of the ward is for. It has no breast ultrasound.
SENT = {"cxr_findings": "chest_pneumonia.jpg", "brain_mri_tumour": "brain_glioma.jpg"}
TOGETHER = 8
WARM_UP = 5
MAX_PIXELS = 10**8
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one model. service_s, bare_s: of single images, one after the other: from the file to findings and pictures.

    whole_s, bare_whole_s: of `images` images, eight at a time through the service, one after the other in-process.
    router_s, triton_s: processor seconds of the former. unread: answers without findings.
    """

    service_s: list[float]
    bare_s: list[float]
    images: int
    whole_s: float
    bare_whole_s: float
    router_s: float
    triton_s: float
    unread: int


class Bare:
    """The same reading without services: one thread of onnxruntime."""

    def __init__(self, settings: SharedSettings, models: Sequence[ImageModel]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.models = models
        self.sessions = [
            onnxruntime.InferenceSession(
                str(settings.model_repository / model.version.name / "1" / "model.onnx"),
                options,
                providers=["CPUExecutionProvider"],
            )
            for model in models
        ]

    def read(self, content: bytes) -> None:
        """Decode, prepare, ask, draw."""
        grey = file_picture(content, MAX_PIXELS).grey
        for model, session in zip(self.models, self.sessions, strict=True):
            answers = session.run(model.outputs, {"image": prepared(model, grey)[np.newaxis]})
            self._draw(model, dict(zip(model.outputs, answers, strict=True)), grey)

    def _draw(self, model: ImageModel, answer: Mapping[str, NDArray[Any]], grey: NDArray[np.float32]) -> None:
        rows, columns = grey.shape
        part = read_part(grey, model.preparation)
        if "heatmap" in answer:
            heatmap_png(answer["heatmap"][0], rows, columns, part)
        if "outline" in answer:
            region = outlined(answer["outline"][0], model.outline_threshold, part, (rows, columns), Geometry())
            if region:
                mask_png(region.mask)


async def measure(settings: SharedSettings, target: str, pids: tuple[int, int], images: int) -> dict[str, Figures]:
    """By model. target: image-router's gRPC, host:port. pids: of image-router and Triton."""
    figures = {}
    async with TritonClient(settings) as triton, grpc.aio.insecure_channel(target) as channel:
        service: Any = ImageRouterServiceStub(channel)  # the generated stub knows no asyncio
        for name, picture in SENT.items():
            asked = [name, *([DECLARED[name].outlined_by] if DECLARED[name].outlined_by else [])]
            bare = Bare(settings, [await load_model(triton, one) for one in asked])
            request = ReadImageRequest(content=(PICTURES / picture).read_bytes(), model=name)
            figures[name] = await _measure(service, request, bare, pids, images)
    return figures


async def _measure(service: Any, request: ReadImageRequest, bare: Bare, pids: tuple[int, int], images: int) -> Figures:
    processes = [psutil.Process(pid) for pid in pids]

    async def one() -> bool:
        return bool((await service.ReadImage(request, timeout=DEADLINE_S)).findings.findings)

    for _ in range(WARM_UP):
        await one()
        bare.read(request.content)
    singles = max(10, images // 2)
    service_s = [await _seconds(one) for _ in range(singles)]
    bare_s = [_spent(bare, request.content) for _ in range(singles)]
    before = [_cpu_s(process) for process in processes]
    began = time.perf_counter()
    unread = await _all(one, images)
    whole_s = time.perf_counter() - began
    router_s, triton_s = (_cpu_s(process) - past for process, past in zip(processes, before, strict=True))
    bare_whole_s = _spent(bare, request.content, images)
    return Figures(service_s, bare_s, images, whole_s, bare_whole_s, router_s, triton_s, unread)


async def _all(one: Callable[[], Awaitable[bool]], images: int) -> int:
    waiting, unread = iter(range(images)), 0

    async def lane() -> None:
        nonlocal unread
        for _ in waiting:
            unread += not await one()

    await asyncio.gather(*(lane() for _ in range(TOGETHER)))
    return unread


async def _seconds(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


def _spent(bare: Bare, content: bytes, times: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(times):
        bare.read(content)
    return time.perf_counter() - began


def _cpu_s(process: psutil.Process) -> float:
    spent = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in spent)


def table(figures: Mapping[str, Figures]) -> str:
    """The figures for a terminal."""
    return "\n".join(line for name, of in figures.items() for line in _lines(name, of))


def _lines(name: str, of: Figures) -> list[str]:
    through, bare = quantiles(of.service_s), quantiles(of.bare_s)
    each = 1000 / of.images
    cpu = (of.router_s + of.triton_s) / of.bare_whole_s
    rates = (
        f"{of.images / of.whole_s:.1f} a second {TOGETHER} at a time, {of.images / of.bare_whole_s:.1f} a second bare"
    )
    shares = f"image-router {of.router_s * each:.1f} ms, Triton {of.triton_s * each:.1f} ms"
    return [
        f"{name}, {len(of.service_s)} images one at a time:          p50 ms   p99 ms",
        _line("image-router, from file to findings", through),
        _line("bare onnxruntime, one thread (floor)", bare),
        f"  {of.images} images: {rates}.",
        f"  Processor time an image: {shares}; together {cpu:.2f} times the floor's wall time.",
        f"  Without findings: {of.unread} images.",
    ]


def _line(what: str, seconds: Mapping[str, float]) -> str:
    return f"  {what:<47}{seconds['p50'] * 1000:9.1f}{seconds['p99'] * 1000:9.1f}"
