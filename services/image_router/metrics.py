"""Metrics of image-router."""

from prometheus_client import Counter, Gauge, Histogram

from services.common.metrics import SECONDS

INSTANCES = Counter("vigil_image_router_instances_total", "C-STORE requests, by outcome.", ["outcome"])
INSTANCE_BYTES = Counter("vigil_image_router_received_bytes_total", "Bytes of instances taken by C-STORE.")
STORE_SECONDS = Histogram(
    "vigil_image_router_store_seconds",
    "One C-STORE, until Kafka acknowledged.",
    buckets=SECONDS,
)
ASSOCIATIONS = Gauge("vigil_image_router_associations", "DICOM associations that are open.")
DECODE_SECONDS = Histogram(
    "vigil_image_router_decode_seconds", "From the bytes of an image to its picture.", buckets=SECONDS
)
IMAGES_READ = Counter("vigil_image_router_images_total", "Images, by outcome (read, abstained, degraded).", ["outcome"])
