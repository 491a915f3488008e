"""One whole stack for all system tests: started by `vigil up`, apart from any other by folder and ports."""

import os
from collections.abc import Iterator

import pytest

from deploy.local.settings import LocalSettings
from tests.system.running import Vigil, free_offset

UP_TIMEOUT_S = 280


@pytest.fixture(scope="session")
def vigil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vigil]:
    data_dir, offset = tmp_path_factory.mktemp("stack"), free_offset()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VIGIL_")}
    env = kept | {"VIGIL_DATA_DIR": str(data_dir), "VIGIL_PORT_OFFSET": str(offset)}
    running = Vigil(LocalSettings(data_dir=data_dir, port_offset=offset), env)
    try:
        running("up", "--detach", timeout=UP_TIMEOUT_S)
        yield running
    finally:
        running("down", check=False)
