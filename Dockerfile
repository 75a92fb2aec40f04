# One image for the worker and the example web app: Penstock, and the flows of examples/.
FROM python:3.12-slim

WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY gateway ./gateway
COPY langgraph ./langgraph
COPY runtime ./runtime
COPY publisher ./publisher
COPY worker ./worker
RUN pip install --quiet --no-cache-dir ".[http,gateway]"

RUN useradd --create-home penstock
USER penstock
WORKDIR /app
COPY examples ./

ENV PYTHONUNBUFFERED=1
CMD ["penstock", "worker", "flows.py"]
