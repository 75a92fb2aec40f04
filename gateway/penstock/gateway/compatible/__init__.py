"""The API of LangGraph's clients, at `/`: assistants, threads and their state, the store, runs."""
