"""The native API, below /api: runs, threads, failures, webhooks, queues and workers."""
