"""LangGraph graphs as entrypoints of workers: found, executed attempt by attempt, gone on with."""
