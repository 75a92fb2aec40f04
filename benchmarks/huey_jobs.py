"""What a consumer of Huey's is given to do; the environment says which Redis it uses."""

from __future__ import annotations

import importlib
import os
from typing import Any

package: Any = importlib.import_module("huey")  # of the extra `bench`

huey: Any = package.RedisHuey("bench", url=os.environ["BENCHMARK_REDIS"], results=False)


def _nothing(x: int) -> None:
    del x


nothing: Any = huey.task(name="nothing")(_nothing)
