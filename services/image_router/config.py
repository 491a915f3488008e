"""Settings of image-router."""

from pydantic import Field

from services.common.settings import ServiceSettings, ZoneName, service_config


class ImageRouterSettings(ServiceSettings):
    """VIGIL_IMAGE_ROUTER_..."""

    model_config = service_config("image-router")

    http_port: int = Field(8082, description="Health and metrics.")
    grpc_port: int = Field(50053, description="ImageRouterService.")
    dicom_port: int = Field(11112, description="DICOM C-STORE and C-ECHO.")
    ae_title: str = Field("VIGIL", min_length=1, max_length=16, description="Application entity title of the SCP.")
    max_associations: int = Field(64, gt=0, description="Senders connected at a time; more are refused.")
    network_timeout_s: float = Field(60.0, gt=0, description="Seconds an association may be silent.")
    store_deadline_s: float = Field(
        15.0,
        gt=0,
        description="Seconds each for blob store and Kafka to take an image; then the sender is told 0xA700.",
    )
    max_instance_bytes: int = Field(
        1024**3, gt=0, description="Size of a data set; the sender of a larger one is told 0xA700."
    )
    time_zone: ZoneName = Field("UTC", description="IANA zone of images that do not name their offset in (0008,0201).")
    max_pixels: int = Field(100_000_000, gt=0, description="Rows times columns; larger images are not decoded.")
    triton_wait_s: float = Field(
        30.0,
        ge=0,
        description="Seconds of an outage of Triton that images wait; then their results are labelled degraded.",
    )
    preview_side: int = Field(1024, gt=0, description="Longest side of the preview for people, pixels.")
    batch_images: int = Field(8, gt=0, description="Images read at a time.")
