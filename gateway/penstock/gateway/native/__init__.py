"""The native API, below /api: runs, threads, failures, queues and workers."""
