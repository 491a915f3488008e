"""Triton from its wheel, with the Python-based onnxruntime backend beside it."""

import filecmp
import hashlib
import shutil
import sys
import sysconfig
from pathlib import Path

from deploy.local.settings import LocalSettings

HERE = Path(__file__).parent
SITE = Path(sysconfig.get_paths()["purelib"])
LOOPBACK = "127.0.0.1"  # nothing authenticates callers of the local Triton
WHEEL = SITE / "pytriton" / "tritonserver"


def prepare(settings: LocalSettings) -> list[str]:
    """Lay out the backends, and return Triton's command line."""
    backends = settings.data_dir / "triton" / "backends"
    _copy_backends(backends)
    return [
        sys.executable,
        "-S",
        str(HERE / "log_as_json.py"),
        str(WHEEL / "bin" / "tritonserver"),
        f"--model-repository={_repository(settings)}",
        f"--backend-directory={backends}",
        f"--backend-config=python,shm-region-prefix-name={shared_memory_prefix(settings.data_dir)}",
        f"--http-address={LOOPBACK}",
        f"--grpc-address={LOOPBACK}",
        f"--metrics-address={LOOPBACK}",
        f"--http-port={settings.triton_http_port}",
        f"--grpc-port={settings.triton_grpc_port}",
        f"--metrics-port={settings.triton_metrics_port}",
        "--http-thread-count=2",
        "--metrics-config=summary_latencies=true",
        "--log-format=ISO8601",
        "--exit-timeout-secs=5",
        # A model that cannot load must not take the others with it; readiness names it.
        "--exit-on-error=false",
        "--pinned-memory-pool-byte-size=0",
    ]


def environment(settings: LocalSettings) -> dict[str, str]:
    """Where Triton finds its libraries, and its Python backend this interpreter and its packages."""
    libraries = f"{SITE / 'nvidia_pytriton.libs'}:{sysconfig.get_config_var('LIBDIR')}"
    threads = str(settings.triton_onnx_threads)
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH": libraries,
        "VIGIL_TRITON_ONNX_THREADS": threads,
        "OMP_NUM_THREADS": threads,
    }


def shared_memory_prefix(data_dir: Path) -> str:
    """Begins the name of every shared memory region of this stack's Triton in /dev/shm."""
    return f"vigil-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]}-"


def _repository(settings: LocalSettings) -> Path:
    """The model repository; Triton refuses to start without the folder."""
    settings.model_repository.mkdir(parents=True, exist_ok=True)
    return settings.model_repository.resolve()


def _copy_backends(backends: Path) -> None:
    """Copies, because Triton resolves links and then looks for the stub beside the original."""
    stub = WHEEL / "python_backend_stubs" / f"3.{sys.version_info.minor}" / "triton_python_backend_stub"
    sources = [*(WHEEL / "backends" / "python").iterdir(), stub]
    wanted = {f"python/{path.name}": path for path in sources if path.is_file()}
    wanted["onnxruntime/model.py"] = HERE / "triton_backend" / "onnxruntime" / "model.py"
    for name, source in wanted.items():
        target = backends / name
        if not (target.is_file() and filecmp.cmp(source, target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
