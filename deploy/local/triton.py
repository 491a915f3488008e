"""Triton from its wheel, with the Python-based onnxruntime backend beside it."""

import filecmp
import hashlib
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.settings import LocalSettings

HERE = Path(__file__).parent
SITE = Path(sysconfig.get_paths()["purelib"])
LOOPBACK = "127.0.0.1"  # nothing authenticates callers of the local Triton
WHEEL = SITE / "pytriton" / "tritonserver"
# Inference fills whatever cores there are. Services go before it, so that the next picture is there when one is done;
# with equal priorities instances of models wait for their next call (docs/benchmarks.md).
NICENESS = 10


def prepare(settings: LocalSettings) -> list[str]:
    """Lay out the backends, and return Triton's command line. Raises StackError without a model repository."""
    backends = _backends(settings)
    _copy_backends(backends)
    return [
        "nice",
        "-n",
        str(NICENESS),
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
    """The model repository, or a link to it. Raises StackError when there is none."""
    repository = settings.model_repository.resolve()
    if not repository.is_dir():
        raise StackError(f"VIGIL_MODEL_REPOSITORY={repository} is not a folder; set one that holds models.")
    path = _fit_for_a_shell(repository, settings, "models")
    if path != repository:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(repository)
    return path


def _backends(settings: LocalSettings) -> Path:
    return _fit_for_a_shell(settings.data_dir / "triton" / "backends", settings, "backends")


def _fit_for_a_shell(path: Path, settings: LocalSettings, name: str) -> Path:
    """`path`, or one in the cache: Triton begins its Python processes by a shell, and does not quote.

    Raises StackError when neither is fit for that.
    """
    elsewhere = settings.cache_dir / f"{shared_memory_prefix(settings.data_dir)}{name}"
    for candidate in (path, elsewhere):
        if shlex.quote(str(candidate)) == str(candidate):
            return candidate
    raise StackError(
        f"Triton takes neither {path} nor {elsewhere}; set VIGIL_CACHE_DIR to a path without blanks and other signs "
        f"that a shell reads."
    )


def clear_cache(settings: LocalSettings) -> None:
    """Take away what `prepare` laid out in the cache for this stack."""
    for path in settings.cache_dir.glob(f"{shared_memory_prefix(settings.data_dir)}*"):
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path)


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
