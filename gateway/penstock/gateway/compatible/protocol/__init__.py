"""The thread protocol of LangGraph's clients: commands, and one stream of all runs of a thread."""
