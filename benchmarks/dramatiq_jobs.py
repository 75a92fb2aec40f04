"""What a worker of Dramatiq's is given to do; the environment says which Redis it uses."""

from __future__ import annotations

import importlib
import os
from typing import Any

dramatiq: Any = importlib.import_module("dramatiq")  # of the extra `bench`
brokers: Any = importlib.import_module("dramatiq.brokers.redis")

broker: Any = brokers.RedisBroker(url=os.environ["BENCHMARK_REDIS"])
dramatiq.set_broker(broker)


def _nothing(x: int) -> None:
    del x


nothing: Any = dramatiq.actor(_nothing, actor_name="nothing")
